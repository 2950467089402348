"""The lines of protocol 1, against the shapes its users were promised."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream import __version__
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.values import (
    AudioInfo,
    EmotionEvent,
    Phase,
    Prediction,
    SpeechState,
)
from ser_stream.protocol.messages import (
    MAX_LINE,
    Message,
    MessageBuilder,
    bye,
    dropped,
    milliseconds,
    refusal,
    reply,
    utc_text,
)
from ser_stream.protocol.wall_clock import WallClock

LABELS = ("angry", "fear", "happy", "neutral", "sad")
T0 = datetime(2026, 1, 1, tzinfo=UTC)
SCORES = np.array([0.712345, 0.1, 0.1, 0.05, 0.037655], np.float32)
SPEECH = Prediction(
    41_600,
    88_200,
    SpeechState.SPEECH,
    -23.14,
    "angry",
    SCORES,
    25,
    familiarity=0.83361,
    peak_dbfs=-8.43,
)
SILENCE = Prediction(88_200, 91_400, SpeechState.NO_SPEECH, -61.0)
EMOTION = EmotionEvent(Phase.START, 7, "angry", 80_000, 88_200, 0.74321)
BUNDLE = Bundle(
    folder=Path("open"),
    manifest={},
    sha256="ab" * 32,
    name="open",
    labels=LABELS,
    licence="Apache-2.0",
    front_end=FrontEndConfig(),
    temperatures=(1.0,) * 25,
    thresholds=SmoothingConfig(),
    adapted=False,
)
AUDIO = AudioInfo("mic", "Mikrofon für die Küche", 48_000)

number = (int, float)
none = type(None)
HELLO = {
    "type": str,
    "protocol": int,
    "version": str,
    "stream": str,
    "t0": str,
    "model": {
        "name": str,
        "sha256": str,
        "labels": list,
        "licence": str,
        "adapted": bool,
    },
    "audio": {
        "source": str,
        "device": str,
        "device_rate": int,
        "sample_rate": int,
        "step_ms": number,
        "window_ms": number,
    },
}
PREDICTION = {
    "type": str,
    "seq": int,
    "start_ms": number,
    "end_ms": number,
    "time": str,
    "state": str,
    "label": str,
    "confidence": float,
    "scores": dict.fromkeys(LABELS, float),
    "familiarity": float | None,
    "level_dbfs": float,
    "peak_dbfs": float,
    "latency_ms": float,
}
NO_SPEECH = {**PREDICTION, "label": none, "confidence": none, "scores": none}
EMOTION_LINE = {
    "type": str,
    "seq": int,
    "phase": str,
    "id": int,
    "label": str,
    "start_ms": number,
    "end_ms": number,
    "time": str,
    "confidence": float,
}
STATUS = {
    "type": str,
    "seq": int,
    "what": str,
    "state": str,
    "detail": str,
    "time": str,
}
DROPPED = {"type": str, "count": int, "from_seq": int, "to_seq": int, "reason": str}
BYE = {"type": str, "reason": str}


def parse(message: Message) -> dict[str, Any]:
    """What a subscriber reads."""
    assert message.line.endswith(b"\n")
    assert message.line.count(b"\n") == 1
    value = json.loads(message.line)
    assert isinstance(value, dict)
    return value


def check_shape(value: Any, shape: Any) -> None:
    """The same keys in the same order, and types; a bool is no number."""
    if isinstance(shape, dict):
        assert list(value) == list(shape)
        for key, part in shape.items():
            check_shape(value[key], part)
    else:
        assert isinstance(value, shape)
        assert shape is bool or not isinstance(value, bool)


@pytest.fixture
def protocol() -> MessageBuilder:
    return MessageBuilder(WallClock(T0))


def test_each_line_has_the_shape_that_was_promised(protocol: MessageBuilder) -> None:
    status = protocol.status("audio", "overflow", "160 samples were lost", 16_000)
    for message, shape in [
        (protocol.hello(BUNDLE, AUDIO, PipelineConfig()), HELLO),
        (protocol.prediction(SPEECH, LABELS, 3.94), PREDICTION),
        (protocol.prediction(SILENCE, LABELS, 0.4), NO_SPEECH),
        (protocol.emotion(EMOTION), EMOTION_LINE),
        (status, STATUS),
        (dropped(12, 50, 61), DROPPED),
        (bye("shutdown"), BYE),
    ]:
        check_shape(parse(message), shape)
        assert parse(message)["type"] == message.type


def test_hello_names_the_model_and_the_step(protocol: MessageBuilder) -> None:
    hello = parse(protocol.hello(BUNDLE, AUDIO, PipelineConfig()))
    assert hello["protocol"] == 1
    assert hello["version"] == __version__
    assert hello["stream"] == protocol.stream
    assert hello["t0"] == "2026-01-01T00:00:00.000Z"
    assert hello["model"]["labels"] == list(LABELS)
    assert hello["audio"] == {
        "source": "mic",
        "device": "Mikrofon für die Küche",
        "device_rate": 48_000,
        "sample_rate": 16_000,
        "step_ms": 200,
        "window_ms": 2912.5,
    }
    short = PipelineConfig(step_s=0.1, window_s=0.5125)
    audio = parse(protocol.hello(BUNDLE, AUDIO, short))["audio"]
    assert (audio["step_ms"], audio["window_ms"]) == (100, 512.5)


def test_two_streams_have_different_names() -> None:
    assert MessageBuilder().stream != MessageBuilder().stream


def test_a_prediction_is_told_in_milliseconds_and_utc(protocol: MessageBuilder) -> None:
    assert parse(protocol.prediction(SPEECH, LABELS, 3.94)) == {
        "type": "prediction",
        "seq": 1,
        "start_ms": 2600,
        "end_ms": 5512.5,
        "time": "2026-01-01T00:00:05.512Z",
        "state": "speech",
        "label": "angry",
        "confidence": 0.7123,
        "scores": {
            "angry": 0.7123,
            "fear": 0.1,
            "happy": 0.1,
            "neutral": 0.05,
            "sad": 0.0377,
        },
        "familiarity": 0.834,
        "level_dbfs": -23.1,
        "peak_dbfs": -8.4,
        "latency_ms": 3.9,
    }


def test_silence_has_no_label_confidence_or_scores(protocol: MessageBuilder) -> None:
    line = parse(protocol.prediction(SILENCE, LABELS, 0.44))
    assert (line["start_ms"], line["end_ms"]) == (5512.5, 5712.5)
    assert line["state"] == "no_speech"
    assert line["label"] is line["confidence"] is line["scores"] is None


@pytest.mark.parametrize("phase", ["start", "update", "end"])
def test_an_emotion_is_told_with_its_phase(
    protocol: MessageBuilder, phase: str
) -> None:
    event = EmotionEvent(Phase(phase), 7, "angry", 80_000, 88_200, 0.74321)
    assert parse(protocol.emotion(event)) == {
        "type": "emotion",
        "seq": 1,
        "phase": phase,
        "id": 7,
        "label": "angry",
        "start_ms": 5000,
        "end_ms": 5512.5,
        "time": "2026-01-01T00:00:05.512Z",
        "confidence": 0.7432,
    }


def test_seq_counts_published_events_and_nothing_else(protocol: MessageBuilder) -> None:
    numbered = [
        protocol.prediction(SPEECH, LABELS, 1.0),
        protocol.emotion(EMOTION),
        protocol.status("audio", "lost", "", 0),
        protocol.prediction(SILENCE, LABELS, 1.0),
    ]
    hello = protocol.hello(BUNDLE, AUDIO, PipelineConfig())
    numbered.append(protocol.emotion(EMOTION))
    assert [parse(m)["seq"] for m in numbered] == [1, 2, 3, 4, 5]
    for message in (hello, dropped(1, 2, 2), bye("protocol")):
        assert "seq" not in parse(message)


@pytest.mark.parametrize(
    ("sample", "expected", "text"),
    [
        (0, 0, "0"),
        (88_200, 5512.5, "5512.5"),
        (8200, 512.5, "512.5"),
        (16_000, 1000, "1000"),
        (1, 0.0625, "0.0625"),
        (16_000 * 86_400 * 365, 31_536_000_000, "31536000000"),
    ],
)
def test_milliseconds_are_exact_and_whole_ones_have_no_point(
    sample: int, expected: float, text: str
) -> None:
    assert milliseconds(sample) == expected
    assert json.dumps(milliseconds(sample)) == text


@given(sample=st.integers(0, 16_000 * 86_400 * 3650))
def test_milliseconds_lead_back_to_the_sample(sample: int) -> None:
    assert json.loads(json.dumps(milliseconds(sample))) * 16 == sample


def test_times_are_utc_whatever_the_clock_shows() -> None:
    there = datetime(2026, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert utc_text(there) == "2026-06-30T23:30:00.000Z"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_never_becomes_a_line(
    protocol: MessageBuilder, bad: float
) -> None:
    scores = SCORES.copy()
    scores[2] = bad
    for message in (
        protocol.prediction(
            Prediction(0, 8200, SpeechState.SPEECH, -20.0, "angry", scores), LABELS, 1.0
        ),
        protocol.prediction(
            Prediction(0, 8200, SpeechState.NO_SPEECH, bad), LABELS, 1.0
        ),
        protocol.emotion(EmotionEvent(Phase.START, 1, "sad", 0, 8200, bad)),
    ):
        with pytest.raises(ValueError, match="not JSON compliant"):
            _ = message.line


def test_scores_and_labels_must_agree_in_number(protocol: MessageBuilder) -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        protocol.prediction(SPEECH, LABELS[:4], 1.0)


def test_lines_are_utf_8_and_a_line_break_in_a_text_stays_one_line(
    protocol: MessageBuilder,
) -> None:
    message = protocol.status("audio", "lost", "Gerät\nweg  \u2028!", 0)
    assert "Gerät".encode() in message.line
    assert parse(message)["detail"] == "Gerät\nweg  \u2028!"


def test_a_file_name_that_is_no_utf_8_can_still_be_told(
    protocol: MessageBuilder,
) -> None:
    device = b"M\xfcller.wav".decode("utf-8", "surrogateescape")
    hello = protocol.hello(BUNDLE, AudioInfo("file", device, 16_000), PipelineConfig())
    assert parse(hello)["audio"]["device"].endswith("ller.wav")


def test_a_line_is_at_most_16_kib() -> None:
    empty = len(reply(1, {"x": ""}).line)
    fits = reply(1, {"x": "x" * (MAX_LINE - empty)})
    assert len(fits.line) == MAX_LINE == 16_384
    longer = reply(1, {"x": "x" * (MAX_LINE - empty + 1)})
    with pytest.raises(AssertionError, match="a reply line of 16385 bytes"):
        _ = longer.line


@pytest.mark.parametrize("letter", ["x", "\0", "\N{GRINNING FACE}"])
def test_a_readable_text_is_never_too_long_for_a_line(
    protocol: MessageBuilder, letter: str
) -> None:
    for count, last in ((1000, letter), (1001, "\u2026"), (20_000, "\u2026")):
        text = letter * count
        detail = parse(protocol.status("model", "refused", text, 0))["detail"]
        said = parse(refusal(1, "refused", text))["error"]["text"]
        assert detail == said == letter * 999 + last
