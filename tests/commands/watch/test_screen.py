"""What `ser-stream watch` shows of events that a daemon said."""

import re
from collections.abc import Iterable
from typing import Any

import pytest

from ser_stream.client.lines import as_message
from ser_stream.commands.watch.choice import can_be_painted
from ser_stream.commands.watch.screen import Extras, screen
from ser_stream.commands.watch.sources import Sources
from ser_stream.commands.watch.state import WatchState
from ser_stream.protocol.messages import Message
from tests.helpers import socket_server
from tests.helpers.recorded_events import recorded, until

SIZES = [(40, 12), (80, 24), (60, 40), (110, 30), (200, 50)]
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")


def state_of(said: Iterable[Message]) -> WatchState:
    state = WatchState()
    for message in said:
        take(state, message)
    return state


def take(state: WatchState, message: Message) -> None:
    typed = as_message(dict(message.fields))
    assert typed is not None
    state.take(typed)


def shown(state: WatchState, width: int = 80, height: int = 24) -> str:
    lines = screen(state, width, height)
    assert len(lines) == height
    assert max(line.cell_len for line in lines) <= width
    return "\n".join(line.plain for line in lines)


def changed(message: Message, **fields: Any) -> Message:
    return Message({**message.fields, **fields})


def told(said: Iterable[Message]) -> set[str]:
    """Each number that may stand on the screen, made from the events anew."""
    numbers = {"0", "-1", "-2"}  # losses that were not; the timeline's beginning
    now_ms = 0.0
    for message in said:
        fields = message.fields
        if fields["type"] == "prediction":
            now_ms = fields["end_ms"]
            last = {f"{fields['level_dbfs']:.1f}", f"{fields['latency_ms']:g}"}
            last |= {f"{100 * x:.0f}" for x in (fields["scores"] or {}).values()}
            if fields["familiarity"] is not None:
                last.add(f"{fields['familiarity']:.2f}")
        elif fields["type"] == "emotion":
            sure, began = fields["confidence"], fields["start_ms"]
            last |= {f"{100 * sure:.0f}", f"{(now_ms - began) / 1000:.1f}"}
    if "began" in locals():
        last |= {f"{100 * sure:.0f}", f"{(now_ms - began) / 1000:.1f}"}
    return numbers | last


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_number_is_shown_that_the_events_do_not_hold(
    width: int, height: int
) -> None:
    said = recorded()
    state = state_of(said[:2])
    for count in range(2, len(said) - 1):
        take(state, said[count])
        text = shown(state, width, height)
        numbers = set(NUMBER.findall(text))
        assert numbers <= told(said[: count + 1]), text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_size_shows_emotion_bars_level_timeline_and_keys(
    width: int, height: int
) -> None:
    text = shown(state_of(until("sad")), width, height)
    assert re.search(r"steady +SAD +since \d\.\d s, \d\d % sure", text)
    assert re.search(r"now +sad \d\d %", text)
    for label in ("angry", "fear", "happy", "neutral", "sad"):
        assert re.search(rf"(?m)^{label} .* \d+ %", text)
    assert re.search(r"level .*-\d+\.\d dBFS", text)
    assert re.search(r"fe?a?r? *an?g?r?y? *sa?d?" if height < 30 else "█", text)
    assert "p  pause   f  freeze   q  quit" in text
    assert "emodb_minute.flac" in text


def test_on_forty_columns_held_and_every_key_are_seen() -> None:
    said = until("sad")
    began = next(m for m in reversed(said) if m.type == "emotion")
    step = next(m for m in reversed(said) if m.type == "prediction")
    end = began.fields["start_ms"] + 132_000
    quiet = changed(step, label=None, confidence=None, scores=None, end_ms=end)
    state = state_of([*said, changed(quiet, state="no_speech")])
    lines = screen(state, 40, 12, Extras(place=(1, 2)))
    assert re.search(r"SAD  2:12 min, \d\d %, held$", lines[1].plain)
    assert " ".join(lines[-1].plain.split()) == "p pause f freeze s next q quit"


def test_the_step_stands_beside_what_is_steady_without_contradiction() -> None:
    said = until("sad")
    step = next(m for m in reversed(said) if m.type == "prediction")
    scores = dict.fromkeys(step.fields["scores"], 0.03) | {"neutral": 0.88}
    other = changed(step, label="neutral", confidence=0.88, scores=scores)
    text = shown(state_of([*said, other]))
    assert re.search(r"steady +SAD +since", text)
    assert "now     neutral 88 %" in text


def test_no_speech_and_uncertain_are_states_of_their_own() -> None:
    said = [socket_server.hello(), socket_server.prediction(1)]
    quiet = changed(said[1], state="no_speech", label=None, confidence=None)
    quiet = changed(quiet, scores=None, level_dbfs=-61.0)
    text = shown(state_of([said[0], quiet]))
    assert re.search(r"steady +NO SPEECH", text)
    assert re.search(r"(?m)^sad .* -$", text)
    assert "%" not in text
    doubt = changed(said[1], label="uncertain")
    text = shown(state_of([said[0], doubt]))
    assert re.search(r"steady +UNCERTAIN", text)
    assert "now     uncertain, angry 80 %" in text
    assert "no emotion yet" in shown(state_of(said))


def test_an_emotion_that_a_snapshot_tells_has_no_certainty_yet() -> None:
    present = {"id": 7, "label": "angry", "start_ms": 80100}
    snapshot = Message(
        {
            "type": "snapshot",
            "end_ms": 81250,
            "state": "speech",
            "emotion": present,
            "audio": "healthy",
            "paused": False,
        }
    )
    text = shown(state_of([socket_server.hello(), snapshot]))
    assert re.search(r"steady +ANGRY +since 1\.1 s\n", re.sub(" +\n", "\n", text))


def test_peaks_that_are_cut_are_said_for_two_seconds() -> None:
    state = state_of([socket_server.hello()])
    for seq, peak in ((1, -0.2), (2, -0.1), (12, -9.0), (13, -9.0)):
        take(state, changed(socket_server.prediction(seq), peak_dbfs=peak))
        assert ("-23.1 dBFS CLIPS" in shown(state)) == (seq in (2, 12)), seq
    # Of daemons that do not tell the peak, loudness alone says nothing.
    loud = dict(socket_server.prediction(14).fields) | {"level_dbfs": -1.0}
    del loud["peak_dbfs"]
    take(state, Message(loud))
    assert "CLIPS" not in shown(state)


def test_a_microphone_that_is_gone_leaves_no_old_scores() -> None:
    said = [*until("sad"), socket_server.status(99)]
    text = shown(state_of(said))
    assert "● lost" in text
    assert "sad 9" not in text
    assert "the microphone is gone" in text


def test_a_lost_connection_is_told_once_and_ends_what_was_told() -> None:
    state = state_of(until("sad"))
    state.lost("the daemon has ended")
    state.lost("nothing listens")
    text = shown(state)
    assert "● reconnecting" in text
    assert "NOT CONNECTED" in text
    assert text.count("trying again") == 1
    take(state, recorded()[0])
    assert "● live" in shown(state)
    assert "connected again" in shown(state)


def test_another_stream_begins_another_timeline() -> None:
    state = state_of(until("sad"))
    take(state, changed(recorded()[0], stream="another"))
    assert state.timeline.spans == []
    assert "SAD" not in shown(state)


def test_losses_and_subscribers_come_from_the_daemon_or_are_said_to_be_untold() -> None:
    lossy = changed(socket_server.status(9), state="overflow")
    state = state_of([*until("sad"), lossy])
    text = shown(state)
    assert "subscribers not told here" in text
    assert "overflows 1 since this view began" in text
    state.figures = {"subscribers": {"unix": 2, "ws": 0}, "audio": {"lost_s": 1.5}}
    assert "subscribers 2 unix" in shown(state)
    state.figures["audio"]["gaps"] = 3
    assert "lost 1.5 s in 3 gaps" in shown(state)


def test_twelve_lines_show_the_likeliest_of_many_classes() -> None:
    labels = [f"class{n:02}" for n in range(20)]
    hello = socket_server.hello()
    hello = changed(hello, model={**hello.fields["model"], "labels": labels})
    scores = {label: n / 190 for n, label in enumerate(labels)}
    step = changed(socket_server.prediction(1), scores=scores, label=labels[-1])
    text = shown(state_of([hello, step]), 40, 12)
    assert "class19" in text
    assert "class01" not in text
    assert "classes more" in text


def test_names_from_elsewhere_do_not_steer_the_terminal() -> None:
    hello = socket_server.hello()
    audio = {**hello.fields["audio"], "device": "a\x1b]0;b\x07\nc"}
    assert "a?]0;b??c" in shown(state_of([changed(hello, audio=audio)]))


def test_a_frozen_view_and_an_answer_are_marked() -> None:
    state = state_of(until("sad"))
    extras = Extras(frozen=True, notice="pause refused: it is a file")
    text = "\n".join(line.plain for line in screen(state, 40, 12, extras))
    assert "■ FROZEN" in text
    assert "pause refused" in text


@pytest.mark.parametrize(
    "environment", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}, {}]
)
def test_some_terminals_get_lines(environment: dict[str, str]) -> None:
    assert not can_be_painted(environment)


def of(source: str, message: Message) -> Message:
    """The same of another stream, told of a source."""
    more = {"stream": source} if message.type == "hello" else {}
    return Message({**message.fields, **more, "source": source})


def test_of_several_sources_one_is_shown_and_the_next_by_a_key() -> None:
    sources = Sources(str)
    sources.begin()
    said = recorded()

    def tell(name: str, messages: Iterable[Message]) -> None:
        for message in messages:
            typed = as_message(dict(of(name, message).fields))
            assert typed is not None
            sources.take(typed)

    for name in ("desk", "hall"):
        tell(name, said[:2])
    tell("hall", said[2:60])
    assert (sources.shown, sources.place) == ("desk", (1, 2))
    desk = sources.state
    extras = Extras(place=sources.place)
    text = "\n".join(line.plain for line in screen(sources.state, 80, 24, extras))
    assert "1 of 2: desk, " in text
    assert " s  next source" in text
    sources.next()
    assert "familiarity" in shown(sources.state)
    assert sources.state is not desk
    # Another daemon, which hears others.
    sources.lost("it went")
    sources.begin()
    tell("attic", said[:20])
    assert (sources.shown, sources.place) == ("attic", (1, 1))
