"""The headline of every moment of a real minute: no number that no event holds."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.browser import Page, browser
from tests.helpers.monitor import open_monitor, recorded, watch, wrong
from tests.helpers.running_daemon import running_daemon
from tests.helpers.socket_server import serving
from tests.helpers.subpath_proxy import free_port

SAY = """
(async () => {{
  const {{Past}} = await import("./past.js"), {{parse}} = await import("./message.js");
  const {{headline}} = await import("./headline.js"), past = new Past();
  return {events}.map((event) => {{
    past.take(parse(JSON.stringify(event)));
    return headline(past);
  }});
}})()
"""
PERCENT = re.compile(r"(\d+) %")
SECONDS = re.compile(r"since (\d+(?:\.\d)?) s")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as page:
        watch(page)
        yield page


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return recorded()


def rounded(share: float) -> str:
    return str(int(100 * share + 0.5))


def test_every_moment_is_told_as_the_events_have_it(
    page: Page, events: list[dict[str, Any]]
) -> None:
    with serving("ws://localhost:0") as server:
        open_monitor(page, server)
        said = page.value(SAY.format(events=json.dumps(events)))
    last: dict[str, Any] | None = None
    steady: dict[str, Any] | None = None
    kinds, differ = set(), 0
    for event, told in zip(events, said, strict=True):
        if event["type"] == "prediction":
            last = event
        elif event["type"] == "emotion":
            steady = None if event["phase"] == "end" else event
        if last is None:
            continue
        held = [last["confidence"]] if last["scores"] else []
        held += last["scores"].values() if last["label"] == "uncertain" else []
        held += [steady["confidence"]] if steady else []
        text = " ".join((told["big"], told["steady"], told["now"], told["why"]))
        assert set(PERCENT.findall(text)) <= {rounded(share) for share in held}
        if steady:
            assert told["big"] == steady["label"]
            lasts = max(steady["end_ms"], last["end_ms"]) - steady["start_ms"]
            shown = SECONDS.search(told["steady"])
            assert shown is not None
            assert abs(float(shown[1]) - lasts / 1000) <= 0.51
            assert f"(#{steady['id']})" in told["steady"]
            # The bars are those of the last step: another label there has a reason.
            assert bool(told["why"]) is (last["label"] != steady["label"])
            differ += bool(told["why"])
        elif not last["scores"]:
            assert told["big"] == "no speech"
        elif last["label"] == "uncertain":
            assert told["big"] == "uncertain"
        else:
            assert (told["big"], bool(told["why"])) == ("– none steady", True)
        kinds.add(told["kind"])
    assert kinds >= {"steady", "no_speech", "none"}
    assert differ > 10


@pytest.mark.alone
def test_a_real_daemon_is_seen_live_and_again_after_a_reload(page: Page) -> None:
    port = free_port()
    with running_daemon("--to", f"ws://127.0.0.1:{port}") as daemon:
        page.go(f"http://127.0.0.1:{port}/")
        page.wait_for("#state", "hearing emodb_minute.flac with model open")
        page.wait_for("#rows", "fear #1")
        page.wait_for("#rows", "angry #2")
        before = page.text("#rows").split("\n")
        page.call("Page.reload")
        page.wait_for("#rows", "fear #1")
        assert page.text("#rows").split("\n")[-1] == before[-1]
        page.wait_for("#facts", "MIT")
        page.wait_for("#facts", "(1 unix, 1 ws)" if daemon.tcp else "1 ws")
        page.wait_for("#emotion", "sad")
        assert wrong(page) == []
    page.wait_for("#state", "not connected")
    assert "how it last was" in page.text("#why")
