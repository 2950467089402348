"""The monitor shows what was and what is: states, timeline, reload, export."""

import base64
import csv
import io
import itertools
import json
from datetime import datetime

from ser_stream.pipeline.values import AudioState
from ser_stream.protocol.messages import Message, snapshot
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.browser import Page
from tests.helpers.monitor import at, open_monitor, steady, step, wrong
from tests.helpers.socket_server import hello, serving, status

SHOWN = "document.querySelector('#chart-says').textContent"
EXPORT = """
(async () => {{
  const {{Past}} = await import("./past.js"), {{View}} = await import("./view.js");
  const {{parse}} = await import("./message.js"), save = await import("./save.js");
  const past = new Past();
  for (const line of {lines}) past.take(parse(JSON.stringify(line)));
  return save.table(past, {first}, {last});
}})()
"""

SAVE = """
window.saved = [];
URL.createObjectURL = new Proxy(URL.createObjectURL, {
  apply: (call, self, [blob]) => { saved.push(blob); return call.call(self, blob); }});
for (const id of ["png", "csv"]) document.querySelector(`#${id}`).click();
"""


def send(server: SocketServer, *messages: Message) -> None:
    for message in messages:
        server.send(message)


def press(page: Page, key: str) -> None:
    page.value("document.querySelector('#chart').focus()")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=key)


def test_uncertain_and_no_speech_are_states_of_their_own(
    page: Page, server: SocketServer
) -> None:
    open_monitor(page, server)
    send(server, step(1, None))
    page.wait_for("#emotion", "no speech")
    assert page.text("#heard") == "now: no speech"
    assert "%" not in page.text("#bars")
    send(server, step(2, "uncertain", 0.34))
    page.wait_for("#emotion", "uncertain")
    assert page.text("#heard") == "now: uncertain (best: sad 34 %)"
    send(server, step(3, "happy", 0.9))
    page.wait_for("#emotion", "none steady")
    assert "does not make a steady emotion" in page.text("#why")
    assert wrong(page) == []


def test_headline_and_bars_differ_only_with_a_reason(
    page: Page, server: SocketServer
) -> None:
    open_monitor(page, server)
    send(server, step(1, "sad", 0.7), steady(2, "start", "sad", 4, 0.2))
    page.wait_for("#emotion", "sad")
    send(server, step(13, "sad", 0.88))
    page.wait_for("#steady", "steady: sad since 2.9 s")
    page.wait_for("#steady", "(#4); 61 % sure, on the mean of late steps")
    page.wait_for("#heard", "now: sad 88 %")
    assert page.text("#why") == ""
    send(server, step(14, "neutral", 0.88))
    page.wait_for("#heard", "now: neutral 88 %")
    assert page.text("#emotion") == "sad"
    assert "The present step says neutral" in page.text("#why")
    send(server, step(15, None))
    page.wait_for("#why", "no speech; an emotion is held over a short pause")
    send(server, step(16, "uncertain", 0.3))
    page.wait_for("#why", "not sure, which alone does not end an emotion")
    # The list does not say that it is over, nor at its end how little was left of it.
    page.wait_for("#rows", "≥ 0.7 s")
    end = steady(17, "end", "sad", 4, 0.2)
    send(server, Message({**end.fields, "confidence": 0.17}))
    page.wait_for("#rows", "\t3.7 s\t61 %")


def test_a_reload_shows_the_past_again(page: Page, server: SocketServer) -> None:
    open_monitor(page, server)
    for seq in range(1, 601):
        send(server, step(seq, "angry" if seq % 20 else None))
    send(server, steady(601, "start", "angry", 1, 100), status(602))
    page.wait_for("#emotion", "microphone lost")
    before = page.text("#rows")
    assert "angry #1" in before
    assert "the microphone is gone" in before
    page.wait_for("#facts", "600 steps")
    page.call("Page.reload")
    page.wait_for("#facts", "600 steps")
    page.wait_for("#emotion", "microphone lost")
    page.wait_for("#rows", "the microphone is gone")
    assert page.text("#rows").split("\n") == before.split("\n")
    assert page.text("#emotion") == "microphone lost"
    assert wrong(page) == []


def test_the_timeline_pauses_zooms_and_moves(page: Page, server: SocketServer) -> None:
    open_monitor(page, server)
    for seq in range(1, 1001):
        send(server, step(seq))
    send(server, steady(1001, "start", "angry", 1, 190))
    page.wait_for("#chart-says", "Live: 60 s")
    page.wait_for("#chart-says", "emotions: 1")
    page.value("document.querySelector('[data-span=\"300\"]').click()")
    page.wait_for("#chart-says", "Live: 5 min")
    press(page, "+")
    page.wait_for("#chart-says", "Live: 3 min")
    press(page, " ")
    page.wait_for("#chart-says", "Standing still")
    assert page.text("#pause") == "Live"
    stood = page.value(SHOWN)
    for seq in range(1002, 1020):
        send(server, step(seq))
    page.wait_for("#facts", "1018 steps")
    assert page.value(SHOWN) == stood
    press(page, "ArrowLeft")
    page.wait_for("#chart-says", "emotions: 0")
    # The first of what is known, 204 s before the last, and not an hour before it.
    press(page, "Home")
    first = datetime.fromisoformat(at(0.7125)).astimezone().strftime("%H:%M:%S")
    page.wait_for("#chart-says", f"{first} to")
    press(page, "End")
    page.wait_for("#chart-says", "Live: 3 min")
    box = page.value(
        "(() => { const b = document.querySelector('.u-over').getBoundingClientRect();"
        " return [b.left, b.top, b.width, b.height]; })()"
    )
    y = box[1] + box[3] / 2
    for kind, share in (("mousePressed", 0.25), ("mouseReleased", 0.75)):
        for type in ("mouseMoved", kind):
            where = {"x": box[0] + share * box[2], "y": y}
            page.call(
                "Input.dispatchMouseEvent",
                type=type,
                button="left",
                buttons=1,
                clickCount=1,
                **where,
            )
    page.wait_for("#chart-says", "Standing still: 75 s")
    assert wrong(page) == []


def test_gaps_losses_drops_and_adaptation_are_marked(
    page: Page, server: SocketServer
) -> None:
    open_monitor(page, server)
    adaptation = {
        "type": "adaptation",
        "seq": 7,
        "phase": "accepted",
        "reason": "better",
    }
    later = Message({**adaptation, "bundle": "0" * 64, "time": at(5)})
    send(server, *(step(seq) for seq in range(1, 4)), step(13), status(14), later)
    page.wait_for("#rows", "gap of 1.8 s")
    page.wait_for("#rows", "audio lost: the microphone is gone")
    page.wait_for("#rows", "adaptation accepted: better")
    page.wait_for("#chart-says", "marks: 3")
    page.wait_for("#facts", "gaps: 1, 1.8 s; device lost: 1")


def test_clipping_is_told_in_words(page: Page, server: SocketServer) -> None:
    open_monitor(page, server)
    lit = "document.querySelector('#clips.lit') !== null"
    steps = [(1, -23.1, -8.4, "fine"), (2, -5.0, -0.2, "very loud")]
    steps += [(3, -9.5, -0.1, "peaks are cut")]
    steps += [(13, -23.0, -8.3, "peaks are cut, or were within 2 s")]
    for seq, level, peak, words in steps:
        send(server, step(seq, level_dbfs=level, peak_dbfs=peak))
        told = f"{level:.1f} dBFS, peak {peak:.1f} dBFS; {words}".replace("-", "−")
        page.wait_for("#level-text", told)
        # Held for two seconds.
        clips = seq >= 3
        page.wait_for("#clips", "clipping" if clips else "no clipping")
        assert page.value(lit) == clips
        spoken = page.value("document.querySelector('#level').ariaValueText")
        assert spoken.startswith(told)
    send(server, step(14))
    page.wait_for("#clips", "no clipping")
    assert not page.value(lit)
    older = dict(step(16, level_dbfs=-1.0).fields)
    del older["peak_dbfs"]
    send(server, Message(older))
    page.wait_for("#clips", "clipping: not told")


def test_health_names_model_licence_and_subscribers(
    page: Page, server: SocketServer
) -> None:
    open_monitor(page, server)
    page.wait_for("#facts", "1 (1 ws); predictions dropped: 0")
    facts = page.text("#facts").split("\n")
    told = dict(zip(facts[::2], facts[1::2], strict=True))
    assert (told["Model"], told["Licence"]) == ("test", "MIT")
    assert told["Device"] == "test.wav, 16000 Hz"


def test_a_screen_reader_hears_at_most_once_in_three_seconds(
    page: Page, server: SocketServer
) -> None:
    open_monitor(page, server)
    page.value(
        "window.heard = []; new MutationObserver(() => heard.push(performance.now()))"
        ".observe(document.querySelector('#announce'),"
        " {childList: true, characterData: true, subtree: true})"
    )
    for seq in range(1, 34):
        label = ("sad", "happy", "fear")[seq % 3]
        send(server, steady(seq, "start", label, seq, seq / 5))
        page.wait_for("#emotion", label)
        page.value("new Promise((done) => setTimeout(done, 100))")
    times = page.value("heard")
    assert len(times) >= 2
    assert min(b - a for a, b in itertools.pairwise(times)) >= 2900
    live = page.value("document.querySelectorAll('[aria-live],[role=status]').length")
    assert live == 1


def test_the_view_is_saved_as_a_table(page: Page, server: SocketServer) -> None:
    open_monitor(page, server)
    said = [step(1, "angry", 0.8), step(2, None), step(3, "uncertain", 0.3)]
    said.append(steady(4, "end", "=1+1", 9, 0.5))
    said.append(Message({**status(5).fields, "time": at(1.5), "detail": 'a "b", c'}))
    lines = json.dumps([dict(message.fields) for message in said])
    text = page.value(EXPORT.format(lines=lines, first=0, last=9e9))
    rows = list(csv.DictReader(io.StringIO(text)))
    predictions = [row for row in rows if row["type"] == "prediction"]
    assert [row["label"] for row in predictions] == ["angry", "", "uncertain"]
    assert [row["state"] for row in predictions] == ["speech", "no_speech", "speech"]
    assert predictions[0]["angry"] == predictions[0]["confidence"] == "0.8"
    assert predictions[0]["time"] == "2026-01-01T00:00:00.712Z"
    spans = [row for row in rows if row["type"] == "emotion"]
    assert [(row["label"], row["id"]) for row in spans] == [("'=1+1", "9")]
    assert rows[-1]["text"] == 'audio lost: a "b", c'


def test_an_emotion_is_saved_with_how_sure_it_was(
    page: Page, server: SocketServer
) -> None:
    open_monitor(page, server)
    told = (("start", 0.41), ("update", 0.83), ("update", 0.52), ("end", 0.17))
    said = [
        Message({**steady(5 * n, phase, "sad", 4, 0.5).fields, "confidence": sure})
        for n, (phase, sure) in enumerate(told, 1)
    ]
    # Of another one only the end is known, as the page was opened later.
    said.insert(0, steady(4, "end", "fear", 3, 0.1))
    lines = json.dumps([dict(message.fields) for message in said])
    text = page.value(EXPORT.format(lines=lines, first=0, last=9e9))
    names = ("label", "confidence", "first_confidence", "highest_confidence")
    rows = [[row[name] for name in names] for row in csv.DictReader(io.StringIO(text))]
    assert rows == [["fear", "0.61", "", "0.61"], ["sad", "0.17", "0.41", "0.83"]]


def test_the_view_is_saved_as_a_picture(page: Page, server: SocketServer) -> None:
    open_monitor(page, server)
    for seq in range(1, 100):
        send(server, step(seq))
    page.wait_for("#chart-says", "Live")
    page.value(SAVE)
    page.wait_for("body", "Live")
    deadline = "new Promise((done) => setTimeout(done, 1000))"
    page.value(deadline)
    kinds = page.value("saved.map((blob) => blob.type)")
    assert sorted(kinds) == ["image/png", "text/csv"]
    data = page.value(
        "(async () => { const blob = saved.find((b) => b.type === 'image/png');"
        " const bytes = new Uint8Array(await blob.arrayBuffer());"
        " return btoa(String.fromCharCode(...bytes.slice(0, 24))); })()"
    )
    head = base64.b64decode(data)
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20], "big") > 200
    assert wrong(page) == []


def test_of_several_sources_one_is_shown_and_can_be_chosen(page: Page) -> None:
    def told(source: str, message: Message) -> Message:
        more = {"stream": f"{source}-1"} if message.type == "hello" else {}
        return Message(
            {"type": message.type, "source": source, **message.fields, **more}
        )

    with serving("ws://localhost:0", begun=False) as server:
        for name in ("desk", "hall"):
            send(server, told(name, hello()))
            send(server, snapshot(0, "no_speech", None, AudioState.HEALTHY, name))
        for seq in range(1, 20):
            send(server, told("desk", step(seq, "sad", 0.9)))
            send(server, told("hall", step(seq, "happy", 0.7)))
        open_monitor(page, server)
        page.wait_for("#heard", "now: sad 90 %")
        page.wait_for("#facts", "19 steps")
        options = "[...document.querySelector('#source').options].map((o) => o.value)"
        assert page.value(options) == ["desk", "hall"]
        page.value(
            "(() => { const s = document.querySelector('#source'); s.value = 'hall';"
            " s.dispatchEvent(new Event('change')); })()"
        )
        page.wait_for("#heard", "now: happy 70 %")
        page.wait_for("#facts", "19 steps")
        send(server, told("desk", step(20, "sad", 0.9)))
        send(server, told("hall", step(20, "happy", 0.8)))
        page.wait_for("#heard", "now: happy 80 %")
        page.wait_for("#facts", "20 steps")
        assert wrong(page) == []
