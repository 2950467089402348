"""The monitor goes on when a clock is set: the daemon's, or the browser's own."""

import csv
import io
import json
from typing import Any

import pytest

from ser_stream.protocol.messages import Message
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.browser import Page
from tests.helpers.monitor import at, open_monitor, steady, step, wrong
from tests.helpers.socket_server import hello, status

HOUR = 3600
TOLD = """
(async () => {{
  const {{Past}} = await import("./past.js"), save = await import("./save.js");
  const {{parse}} = await import("./message.js"), past = new Past();
  const newest = {lines}.map((line) => {{
    past.take(parse(JSON.stringify(line)));
    return past.newest;
  }});
  return {{newest, table: save.table(past, 0, 9e9),
    marks: past.marks.map(({{time, kind, wall}}) => [time, kind, wall])}};
}})()
"""


def by(clock_s: float, message: Message) -> Message:
    """A message by a daemon's clock that is so many seconds ahead."""
    end_s = message.fields.get("end_ms", 200 * message.fields["seq"] + 512.5) / 1000
    return Message({**message.fields, "time": at(end_s + clock_s)})


def told(page: Page, *messages: Message) -> dict[str, Any]:
    lines = json.dumps(
        [{"type": m.type, **m.fields} for m in (hello(), *messages)], default=str
    )
    result: dict[str, Any] = page.value(TOLD.format(lines=lines))
    return result


@pytest.mark.parametrize(
    ("clock_s", "words"),
    [
        (-HOUR, "back by 60 min"),
        (HOUR, "forward by 60 min"),
        (-30 * HOUR, "back by 30 h"),
    ],
)
def test_the_page_goes_on_when_the_daemons_clock_is_set(
    page: Page, server: SocketServer, clock_s: float, words: str
) -> None:
    open_monitor(page, server)
    for seq in range(1, 51):
        server.send(step(seq, "sad", 0.9))
    page.wait_for("#heard", "now: sad 90 %")
    page.wait_for("#facts", "50 steps")
    before = page.text("#chart-says")
    server.send(by(clock_s, status(50, "healthy")))
    for seq in range(51, 101):
        server.send(by(clock_s, step(seq, "happy", 0.7)))
    server.send(by(clock_s, steady(101, "start", "happy", 7, 15)))
    page.wait_for("#heard", "now: happy 70 %")
    page.wait_for("#facts", "100 steps")
    page.wait_for("#facts", "(20 s)")
    page.wait_for("#rows", f"the daemon's clock was set {words}")
    page.wait_for("#rows", "happy #7")
    page.wait_for("#chart-says", "emotions: 1; marks: 2")
    # What is drawn has moved on by ten seconds; its end is told by the clock as it is.
    end = f"new Date({json.dumps(at(20.7125 + clock_s))}).toTimeString().slice(0, 8)"
    page.wait_for("#chart-says", f"to {page.value(end)}")
    assert page.text("#chart-says") != before
    assert wrong(page) == []


def test_what_is_told_is_in_the_order_of_audio_time(
    page: Page, server: SocketServer
) -> None:
    open_monitor(page, server)
    lost, healthy = status(3), Message({**status(4).fields, "state": "healthy"})
    for clock_s in (-HOUR, HOUR):
        said = told(
            page,
            step(1),
            step(2),
            by(0, lost),
            # The clock is set while no sound comes.
            by(clock_s, healthy),
            by(clock_s, step(10)),
            by(clock_s, step(11)),
            by(clock_s, steady(11, "end", "angry", 1, 0.5)),
            by(clock_s, step(12)),
        )
        first, *_, last = said["newest"][1:]
        assert last == pytest.approx(first + 2.2)
        assert said["newest"][-4:] == sorted(said["newest"][-4:])
        places = [place - first for place, *_ in said["marks"]]
        names = [kind for _, kind, _ in said["marks"]]
        assert names == ["audio lost", "audio healthy", "clock set", "gap"]
        assert places == pytest.approx([0.4, 0.6, 1.8, 1.8], abs=1e-3)
        rows = list(csv.DictReader(io.StringIO(said["table"])))
        steps = [row for row in rows if row["type"] == "prediction"]
        assert [row["seq"] for row in steps] == ["1", "2", "10", "11", "12"]
        # Times are those of the events.
        assert steps[1]["time"] == at(0.9125)
        assert steps[2]["time"] == at(2.5125 + clock_s)
        (emotion,) = [row for row in rows if row["type"] == "emotion"]
        assert emotion["time"][:20] == at(0.5 + clock_s)[:20]


def test_a_clock_that_drifts_was_not_set(page: Page, server: SocketServer) -> None:
    open_monitor(page, server)
    said = told(page, *(by(seq / 100, step(seq)) for seq in range(1, 1001)))
    assert said["marks"] == []
    assert said["newest"][-1] - said["newest"][1] == pytest.approx(0.2 * 999)


def test_the_page_goes_on_when_the_browsers_clock_is_set(
    page: Page, server: SocketServer
) -> None:
    open_monitor(page, server)
    server.send(step(1, "sad", 0.9))
    page.wait_for("#heard", "now: sad 90 %")
    page.value("Date.now = ((now) => () => now() - 3600e3)(Date.now)")
    server.send(step(2, "happy", 0.7))
    page.wait_for("#heard", "now: happy 70 %")
    page.wait_for("#announce", "none steady")
    page.wait_for("#facts", "2 steps")
    page.call("Page.reload")
