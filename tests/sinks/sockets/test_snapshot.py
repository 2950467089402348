"""What a late joiner is told is what has been published up to then."""

from datetime import UTC, datetime
from typing import Any

from ser_stream.pipeline.values import AudioState
from ser_stream.protocol.messages import Message, snapshot
from ser_stream.sinks.sockets.snapshot import Snapshot

HELLO = Message({"type": "hello", "t0": datetime(2026, 1, 1, tzinfo=UTC).isoformat()})


def told(present: Snapshot) -> dict[str, Any]:
    hello, now = present.greeting()
    assert hello is HELLO
    return dict(now.fields)


def after(*messages: dict[str, Any]) -> dict[str, Any]:
    present = Snapshot()
    for message in (HELLO, snapshot(0, "no_speech", None, AudioState.HEALTHY)):
        present.follow(message)
    for fields in messages:
        present.follow(Message(fields))
    return told(present)


START = {
    "type": "emotion",
    "phase": "start",
    "id": 7,
    "label": "angry",
    "start_ms": 80100,
    "end_ms": 81000,
    "confidence": 0.7,
}
SPEECH = {"type": "prediction", "end_ms": 81250, "state": "speech"}


def audio(state: str) -> dict[str, Any]:
    return {"type": "status", "what": "audio", "state": state, "detail": ""}


def test_before_the_stream_has_begun_there_is_nothing_to_tell() -> None:
    assert Snapshot().greeting() == []


def test_an_emotion_that_goes_on_is_told_and_one_that_ended_is_not() -> None:
    assert after(SPEECH, START) == {
        "type": "snapshot",
        "end_ms": 81250,
        "state": "speech",
        "emotion": {"id": 7, "label": "angry", "start_ms": 80100},
        "audio": "healthy",
        "paused": False,
    }
    assert after(SPEECH, START, START | {"phase": "end"})["emotion"] is None


def test_a_lost_device_is_told_and_is_no_speech() -> None:
    now = after(SPEECH, audio("lost"), audio("recovering"))
    assert (now["audio"], now["state"], now["paused"]) == (
        "recovering",
        "no_speech",
        False,
    )


def test_steps_of_a_dead_microphone_do_not_make_it_healthy() -> None:
    assert after(audio("recovering"), SPEECH)["audio"] == "recovering"


def test_paused_is_told_until_it_is_resumed() -> None:
    assert after(audio("paused"))["paused"] is True
    assert after(audio("paused"), audio("resumed"))["paused"] is False
    assert after(audio("paused"), audio("resumed"), audio("healthy"))["audio"] == (
        "healthy"
    )


def test_an_overflow_or_a_reload_is_no_state() -> None:
    reload = {"type": "status", "what": "model", "state": "reloaded", "detail": ""}
    assert after(SPEECH, audio("overflow"), reload)["audio"] == "healthy"
