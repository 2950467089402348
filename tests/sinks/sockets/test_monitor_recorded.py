"""The headline of every moment of a real minute: no number that no event holds."""

import json
import re
from typing import Any

import pytest

from tests.helpers.browser import Page
from tests.helpers.monitor import (
    fits,
    open_monitor,
    recorded,
    violations,
    wrong,
)
from tests.helpers.running_daemon import running_daemon
from tests.helpers.socket_server import serving, wait_until
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
AREA = """
(() => {
  const canvas = document.querySelector("#chart canvas"), {width, height} = canvas;
  const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
  let coloured = 0;
  for (let at = 0; at < data.length; at += 4)
    coloured += Math.max(data[at], data[at + 1], data[at + 2])
      - Math.min(data[at], data[at + 1], data[at + 2]) > 60;
  return coloured;
})()
"""
"""How many pixels of the timeline are neither white nor grey nor black."""
PERCENT = re.compile(r"(\d+) %")
SECONDS = re.compile(r"since (\d+(?:\.\d)?) s")


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


def seen_live(page: Page) -> None:
    """Bars with figures, a timeline with colours in it, nothing beside the screen."""
    page.wait_for("#bars", "%")
    page.wait_for("#level-text", "dBFS, peak")
    assert page.text("#chart-says").startswith("Live: 60 s")
    assert page.value(AREA) > 500, "the timeline is empty"
    assert fits(page)
    assert violations(page) == []


@pytest.mark.alone
def test_a_real_daemon_is_seen_live_on_a_desktop_a_phone_and_once_it_is_back(
    page: Page,
) -> None:
    # axe-core compiles its messages; what it looks at is the page as it is.
    page.call("Page.setBypassCSP", enabled=True)
    port = free_port()
    with running_daemon("--to", f"ws://127.0.0.1:{port}"):
        page.size(1440, 1070)
        page.prefer("light")
        page.go(f"http://127.0.0.1:{port}/")
        page.wait_for("#state", "hearing emodb_minute.flac with model open")
        page.wait_for("#rows", "fear #1")
        page.wait_for("#rows", "angry #2")
        seen_live(page)
        # Its end is drawn a moment after the next one's beginning.
        wait_until(lambda: "≥" not in page.text("#rows").split("\n")[-1])
        before = page.text("#rows").split("\n")[-1]
        page.call("Page.reload")
        page.size(360, 740)
        page.prefer("dark")
        page.wait_for("#rows", before)
        page.wait_for("#facts", "MIT")
        page.wait_for("#facts", "1 ws")
        page.wait_for("#emotion", "sad")
        seen_live(page)
    page.wait_for("#state", "not connected")
    assert "how it last was" in page.text("#why")
    with running_daemon("--to", f"ws://127.0.0.1:{port}"):
        page.wait_for("#state", "hearing")
        # Another stream: what the last one said is gone.
        page.wait_for("#rows", "fear #1")
        assert page.text("#rows").count("fear #1") == 1
        assert "sad #3" not in page.text("#rows")
        assert wrong(page) == []
