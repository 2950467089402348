"""A microphone gives what the file gives: real PortAudio, real time, 48 kHz."""

import json
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

import ser_stream
from ser_stream.pipeline.values import (
    Chunk,
    EmotionEvent,
    FloatArray,
    Phase,
    Prediction,
    StreamEvent,
)
from ser_stream.protocol.messages import MessageBuilder
from tests.helpers.paths import MINUTE
from tests.helpers.program import messages
from tests.helpers.virtual_microphone import virtual_microphone

pytestmark = pytest.mark.alone

SECONDS = 25
RATE = 48_000
TRIES = 5
"""How often the file is played until the sound server has played all of it: on a busy
machine it stutters."""
DIFFERENCE = 1e-3
"""Largest root mean square, in 0.1 s, of what a sound played whole may differ by."""

RECORD = """
import sys
from ser_stream.cli import run
from ser_stream.pipeline.pipeline import Pipeline

feed, file = Pipeline.feed, open(sys.argv.pop(1), "wb", buffering=0)

def record(pipeline, chunk):
    file.write(chunk.start.to_bytes(8, "little"))
    file.write(len(chunk.samples).to_bytes(8, "little"))
    file.write(chunk.samples.astype("<f4").tobytes())
    return feed(pipeline, chunk)

Pipeline.feed = record
sys.exit(run())
"""
"""The program, which also writes down what its pipeline is fed."""


@dataclass(frozen=True)
class Live:
    """What a program said while a file was played to it, and what it captured."""

    messages: list[dict[str, Any]]
    chunks: list[Chunk]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for m in self.messages if (event := timeless(m))]

    @property
    def samples(self) -> FloatArray:
        return np.concatenate([chunk.samples for chunk in self.chunks])

    @property
    def losses(self) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == "status"]


def timeless(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """A prediction or an emotion, without what depends on when it was made."""
    if message["type"] not in ("prediction", "emotion"):
        return None
    moments = ("seq", "time", "latency_ms")
    return {key: value for key, value in message.items() if key not in moments}


def play(path: Path, captured: Path) -> Live:
    """Run `listen --input mic` while `path` is played to it."""
    with virtual_microphone() as microphone:
        arguments = ("listen", "--input", "mic", "--format", "json")
        process = microphone.python(RECORD, str(captured), *arguments)
        assert process.stdout is not None
        hello = process.stdout.readline()
        first = process.stdout.readline()
        assert json.loads(first)["state"] == "no_speech"
        microphone.play(path)
        # Until what the sound server still holds has been recorded too.
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return Live(messages((hello + first + rest).encode()), list(read(captured)))


def read(captured: Path) -> Iterator[Chunk]:
    """The chunks that `RECORD` wrote."""
    data = captured.read_bytes()
    while data:
        start, n = (int.from_bytes(data[i : i + 8], "little") for i in (0, 8))
        yield Chunk(start, np.frombuffer(data, "<f4", n, 16))
        data = data[16 + 4 * n :]


def events_of(chunks: Iterable[Chunk]) -> list[StreamEvent]:
    """What the pipeline makes of samples, without a microphone and a clock."""
    pipeline = ser_stream.load("open").pipeline()
    events = [event for chunk in chunks for event in pipeline.feed(chunk)]
    return events + pipeline.flush()


def as_messages(events: Iterable[StreamEvent]) -> list[dict[str, Any]]:
    """Predictions and emotions as `listen` would say them, without the time."""
    builder, labels = MessageBuilder(), ser_stream.load("open").bundle.labels
    said = [
        builder.prediction(event, labels, 0.0)
        if isinstance(event, Prediction)
        else builder.emotion(event)
        for event in events
        if isinstance(event, Prediction | EmotionEvent)
    ]
    return [event for message in said if (event := timeless(message.fields))]


def placed(played: FloatArray, captured: FloatArray) -> FloatArray:
    """The file as a perfect microphone captures it: at 16 kHz, at the very frame.

    Args:
        played: at 48 kHz.
        captured: at 16 kHz; where it has the file, is found by correlation.
    """
    at_48 = soxr.resample(captured, 16_000, RATE)
    n = len(at_48) + len(played)
    spectrum = np.fft.rfft(at_48, n) * np.conj(np.fft.rfft(played, n))
    before = int(np.fft.irfft(spectrum, n)[: len(at_48)].argmax())
    after = max(0, len(at_48) - before - len(played))
    placed: FloatArray = soxr.resample(np.pad(played, (before, after)), RATE, 16_000)
    return placed


def largest_difference(a: FloatArray, b: FloatArray) -> float:
    """Root mean square, in the 0.1 s that differ most; zeros follow the shorter one.

    A sound server that stutters leaves a hole, or moves the rest.
    """
    n = 1600 * -(-max(len(a), len(b)) // 1600)
    a, b = (np.pad(x, (0, n - len(x))) for x in (a, b))
    return float(np.sqrt(((a - b) ** 2).reshape(-1, 1600).mean(1).max()))


def agreement(pairs: list[tuple[str | None, str | None]]) -> float:
    """Share of steps with the same label."""
    return sum(a == b for a, b in pairs) / len(pairs)


def labels(emotions: list[tuple[str, float]], least_ms: float) -> list[str]:
    """Those that last so long."""
    return [label for label, lasted in emotions if lasted >= least_ms]


def in_order(some: list[str], among: list[str]) -> bool:
    """Whether they stand in a list, in their order."""
    rest = iter(among)
    return all(label in rest for label in some)


def test_a_played_file_gives_the_labels_and_emotions_of_the_file(
    tmp_path: Path,
) -> None:
    samples, _ = soundfile.read(MINUTE, dtype="float32", stop=SECONDS * 16_000)
    played = soxr.resample(samples, 16_000, RATE)
    path = tmp_path / "played.wav"
    soundfile.write(path, played, RATE, "FLOAT")
    tries = []
    for k in range(TRIES):
        live = play(path, tmp_path / f"captured-{k}")
        assert live.messages[0]["audio"]["source"] == "mic"
        assert live.messages[-1] == {"type": "bye", "reason": "shutdown"}
        # However well the sound server plays: what is said is what the pipeline makes
        # of the captured samples.
        assert live.events == as_messages(events_of(live.chunks))
        expected_samples = placed(played, live.samples)
        difference = largest_difference(live.samples, expected_samples)
        tries.append((difference, live.losses))
        if difference < DIFFERENCE and not live.losses:
            break
    else:
        pytest.fail(f"the file was never captured as it is: {tries}")
    steps = [m for m in live.messages if m["type"] == "prediction"]
    assert all(b["end_ms"] - a["end_ms"] == 200 for a, b in pairwise(steps))
    events = events_of([Chunk(0, expected_samples)])
    file_steps = [e for e in events if isinstance(e, Prediction)]
    assert abs(len(steps) - len(file_steps)) <= 1
    pairs = [(m["label"], e.label) for m, e in zip(steps, file_steps, strict=False)]
    assert len(pairs) >= 5 * SECONDS - 1
    spoken = [pair for pair in pairs if pair != (None, None)]
    assert agreement(spoken) >= 0.95, [p for p in spoken if p[0] != p[1]]
    assert len({b for _, b in spoken} - {None}) >= 4, "the file has several labels"
    said = [
        (m["label"], m["end_ms"] - m["start_ms"])
        for m in live.messages
        if m["type"] == "emotion" and m["phase"] == "end"
    ]
    expected = [
        (e.label, 1000 * (e.end_s - e.start_s))
        for e in events
        if isinstance(e, EmotionEvent) and e.phase is Phase.END
    ]
    # An emotion of a step or two is at the edge of its threshold: on which side a step
    # falls depends on where the steps lie. So what lasts for half a second on one side
    # lasts that long on the other, less a step.
    lasting = labels(said, 500)
    assert in_order(lasting, labels(expected, 300)), (said, expected)
    assert in_order(labels(expected, 500), labels(said, 300)), (said, expected)
    assert len(lasting) >= 5
