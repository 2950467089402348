"""The web monitor in a browser: what its tests share."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from ser_stream.protocol.messages import Message, utc_text
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.browser import Page
from tests.helpers.paths import MINUTE, ROOT
from tests.helpers.program import run
from tests.helpers.socket_server import LABELS

WATCH = """
window.seen = [];
addEventListener("error", (event) => seen.push(String(event.message)));
addEventListener("unhandledrejection", (event) => seen.push(String(event.reason)));
addEventListener("securitypolicyviolation",
  (event) => seen.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
"""Runs before the page's scripts, and notes what goes wrong with them."""

AXE = ROOT / "tests/data/axe.min.js"
RUN_AXE = """
axe.run(document, {resultTypes: ["violations"]}).then(({violations}) =>
  violations.map(({id, nodes}) => `${id}: ${nodes.map((node) => node.html)}`))
"""


def watch(page: Page) -> None:
    page.call("Page.enable")
    page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)


def wrong(page: Page) -> list[str]:
    """Errors of its scripts, and what its policy forbade, since it was loaded."""
    seen: list[str] = page.value("window.seen")
    return seen


def violations(page: Page) -> list[str]:
    """What axe-core finds; the page's policy has to be off for it to run."""
    page.value(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.value(RUN_AXE)
    return found


def fits(page: Page) -> bool:
    """Whether it need not be scrolled sideways."""
    return bool(page.value("document.documentElement.scrollWidth <= innerWidth"))


def port(server: SocketServer) -> int:
    return server.addresses[0].port


def open_monitor(page: Page, server: SocketServer) -> None:
    page.go(f"http://localhost:{port(server)}/")
    page.wait_for("#state", "hearing")


def at(seconds: float) -> str:
    """The wall clock, so many seconds into the stream."""
    return utc_text(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


def step(
    seq: int, label: str | None = "angry", score: float = 0.8, **more: Any
) -> Message:
    """The prediction of step `seq`, 0.2 s each; of no label, without speech."""
    end = 512.5 + 200 * seq
    other = (1 - score) / (len(LABELS) - 1)
    best = "sad" if label == "uncertain" else label
    scores = dict.fromkeys(LABELS, other) | {best: score}
    return Message(
        {
            "type": "prediction",
            "seq": seq,
            "start_ms": end - 200,
            "end_ms": end,
            "time": at(end / 1000),
            "state": "speech" if label else "no_speech",
            "label": label,
            "confidence": score if label else None,
            "scores": scores if label else None,
            "familiarity": None,
            "level_dbfs": -23.1 if label else -61.0,
            "peak_dbfs": -8.4 if label else -47.2,
            "latency_ms": 3.9,
            **more,
        }
    )


def steady(seq: int, phase: str, label: str, id: int, since: float) -> Message:
    """An emotion that began at `since` seconds, told with step `seq`."""
    end = 512.5 + 200 * seq
    return Message(
        {
            "type": "emotion",
            "seq": seq,
            "phase": phase,
            "id": id,
            "label": label,
            "start_ms": since * 1000,
            "end_ms": end,
            "time": at(end / 1000),
            "confidence": 0.61,
        }
    )


def recorded() -> list[dict[str, Any]]:
    """All that a daemon says of the bundled minute."""
    done = run("listen", "--input", MINUTE, "--pace", "fast")
    return [json.loads(line) for line in done.stdout.splitlines()]
