"""Hostile events, a lying proxy, a token: no script runs, and no secret is told."""

import json
import logging
import re

import pytest

from ser_stream.protocol.messages import Message
from tests.helpers.browser import Page
from tests.helpers.monitor import open_monitor, port, steady, step, wrong
from tests.helpers.socket_server import hello, serving, status
from tests.helpers.subpath_proxy import free_port, subpath_proxy

EVIL = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"
TOKEN = "5ecret-t0ken"
ENTER = (
    "document.querySelector('#token').value = {!r};"
    "document.querySelector('#ask').requestSubmit()"
)


def unharmed(page: Page) -> bool:
    page.value("new Promise((done) => setTimeout(done, 300))")
    return bool(
        page.value("window.pwned === undefined && document.images.length === 0")
    )


def test_text_of_events_is_never_html(page: Page) -> None:
    said = hello().fields
    evil = {**said, "model": {**said["model"], "name": EVIL, "licence": EVIL}}
    evil["audio"] = {**said["audio"], "device": EVIL}
    with serving("ws://localhost:0") as server:
        open_monitor(page, server)
        server.send(Message(evil))
        scores = {EVIL[:60]: 0.9, "sad": 0.1}
        server.send(step(1, EVIL[:60], scores=scores))
        server.send(steady(2, "start", EVIL[:60], 1, 0.2))
        server.send(Message({**status(3).fields, "detail": EVIL}))
        page.wait_for("#rows", EVIL)
        page.wait_for("#facts", EVIL)
        page.wait_for("#bars", EVIL[:60])
        assert unharmed(page)
        assert wrong(page) == []


HOSTILE = [
    "null",
    "[]",
    '"hello"',
    "{",
    '{"type":"__proto__"}',
    '{"type":"constructor"}',
    '{"type":"hello"}',
    '{"type":"hello","stream":"x","model":{"name":1,"labels":5},"audio":null}',
    '{"type":"prediction","seq":"1","scores":{"__proto__":1}}',
    '{"type":"prediction","seq":1,"end_ms":1e400,"time":"x","level_dbfs":0}',
    '{"type":"snapshot","emotion":7,"audio":{},"end_ms":0}',
    '{"type":"emotion","phase":"start","id":{},"label":["a"],"time":3}',
    '{"type":"status","what":{},"state":null,"detail":[]}',
    '{"type":"reply","ok":false,"error":"no"}',
    '{"type":"reply","ok":true,"id":"health","result":{"subscribers":{"ws":"<b>"}}}',
    '{"type":"history","to_seq":"never"}',
]


@pytest.mark.parametrize("line", HOSTILE)
def test_what_is_not_of_the_protocol_does_no_harm(page: Page, line: str) -> None:
    with serving("ws://localhost:0") as server:
        open_monitor(page, server)
        code = (
            "(async () => {"
            "  const {parse} = await import('./message.js');"
            "  const {Past} = await import('./past.js');"
            "  const {headline} = await import('./headline.js');"
            f"  const message = parse({json.dumps(line)}), past = new Past();"
            "  if (message) past.take(message);"
            "  return headline(past).big;"
            "})()"
        )
        assert page.value(code) == "–"
        assert page.value("({}).polluted") is None


def test_the_policy_allows_own_files_only(page: Page) -> None:
    with serving("ws://localhost:0") as server:
        open_monitor(page, server)
        policy = page.value(
            "fetch('./').then((r) => r.headers.get('content-security-policy'))"
        )
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "connect-src 'self';" in policy
        page.value(
            "const script = document.createElement('script');"
            "script.append('window.pwned = 1'); document.body.append(script);"
            "document.body.setAttribute('onclick', 'window.pwned = 1');"
            "document.body.click();"
        )
        page.value("fetch('http://example.org/').catch(() => 0)")
        assert unharmed(page)
        broken = " ".join(wrong(page))
        for directive in ("require-trusted-types-for", "connect-src"):
            assert directive in broken


def test_what_a_proxy_puts_into_the_page_does_not_run(page: Page) -> None:
    evil = f"<script>window.pwned=1</script>{EVIL}<base href='http://example.org/'>"

    def inject(answer: bytes) -> bytes:
        head, _, body = answer.partition(b"\r\n\r\n")
        if b"text/html" not in head:
            return answer
        body = body.replace(
            b"<body>", b"<body onload='window.pwned=1'>" + evil.encode()
        )
        size = f"Content-Length: {len(body)}".encode()
        return re.sub(rb"Content-Length: \d+", size, head) + b"\r\n\r\n" + body

    def pretend(head: bytes) -> bytes:
        lies = b"X-Forwarded-Host: evil.example\r\nX-Forwarded-For: 127.0.0.1\r\n"
        return head.replace(b"\r\n", b"\r\n" + lies, 1)

    proxied = free_port()
    for origins in ([], [f"http://localhost:{proxied}"]):
        with (
            serving("ws://localhost:0", origins=origins) as server,
            subpath_proxy(
                port(server), "/mood", listen=proxied, request=pretend, answer=inject
            ) as proxy,
        ):
            page.go(proxy.url("/mood/"))
            # Without the origin no header makes it the daemon's own; with it the page
            # works, whatever stands in it.
            page.wait_for("#state", "hearing" if origins else "not connected")
            page.value("document.body.click()")
            assert page.value("window.pwned") is None
            for directive in ("script-src", "base-uri"):
                assert any(directive in text for text in wrong(page))


def test_the_token_is_in_no_address_and_in_no_log(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving("ws://localhost:0", token=TOKEN) as server:
        page.go(f"http://localhost:{port(server)}/")
        page.wait_for("body", "This daemon asks for its token")
        page.value(ENTER.format(TOKEN))
        page.wait_for("#state", "hearing")
        page.call("Page.reload")
        page.wait_for("#state", "hearing")
        entries = "performance.getEntries().map((entry) => entry.name).join(' ')"
        told = page.value(f"location.href + document.cookie + {entries}")
        assert TOKEN not in told
        assert TOKEN not in page.value("document.documentElement.outerHTML")
        assert TOKEN not in caplog.text


def test_a_link_cannot_have_the_token_sent_elsewhere(page: Page) -> None:
    with serving("ws://localhost:0", token=TOKEN) as server:
        page.go(
            f"http://localhost:{port(server)}/?uri=ws://localhost:1/#ws://localhost:1"
        )
        page.wait_for("#state", f"connecting to ws://localhost:{port(server)}/")
