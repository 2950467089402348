"""A microphone gives what the file gives: real PortAudio, real time, 48 kHz."""

import json
import signal
import subprocess
import time
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
from tests.helpers.paths import MINUTE
from tests.helpers.program import COMMAND, messages
from tests.helpers.virtual_microphone import virtual_microphone

pytestmark = pytest.mark.alone

SECONDS = 25
STEP = 3200
PHASE = 100
"""Samples; how finely the beginning of the playback is searched for."""


def heard_live(path: Path, seconds: float) -> list[dict[str, Any]]:
    """The messages of `listen --input mic` while `path` is played to it."""
    with virtual_microphone() as microphone:
        process = subprocess.Popen(
            [*COMMAND, "listen", "--input", "mic", "--format", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=microphone.env,
        )
        assert process.stdout is not None
        hello = process.stdout.readline()
        first = process.stdout.readline()
        assert json.loads(first)["state"] == "no_speech"
        begin = time.monotonic()
        microphone.play(path)
        # Until what the sound server still holds has been recorded too.
        time.sleep(max(0.0, begin + seconds + 1.5 - time.monotonic()))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=120)
        assert process.returncode == 0
    return messages(hello + first + rest)


def from_file(samples: FloatArray, before: int) -> list[StreamEvent]:
    """The events of the same samples after `before` samples of silence."""
    pipeline = ser_stream.load("open").pipeline()
    padded = np.pad(samples, (before, 2 * 16_000))
    return pipeline.feed(Chunk(0, padded)) + pipeline.flush()


def aligned(
    live: list[dict[str, Any]], samples: FloatArray
) -> tuple[list[tuple[str | None, str | None]], list[StreamEvent], int]:
    """Pairs of labels, live and from the file, at the delay where the *levels* agree.

    Returns:
        The pairs of the steps in which the file was played, the file's events, and how
        many samples of silence stand before it.
    """
    steps = [m for m in live if m["type"] == "prediction"]
    levels = np.array([max(-70.0, m["level_dbfs"]) for m in steps])
    best: tuple[float, list[tuple[str | None, str | None]], list[StreamEvent], int]
    best = (np.inf, [], [], 0)
    for phase in range(0, STEP, PHASE):
        events = from_file(samples, phase)
        file_steps = [e for e in events if isinstance(e, Prediction)]
        file_levels = np.array([max(-70.0, e.level_dbfs) for e in file_steps])
        n = len(samples) // STEP
        for shift in range(len(levels) - n):
            error = float(np.abs(levels[shift : shift + n] - file_levels[:n]).mean())
            if error < best[0]:
                pairs = [
                    (m["label"], e.label)
                    for m, e in zip(steps[shift:], file_steps[:n], strict=False)
                ]
                best = (error, pairs, events, phase + shift * STEP)
    return best[1:]


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
    path = tmp_path / "played.wav"
    soundfile.write(path, soxr.resample(samples, 16_000, 48_000), 48_000, "FLOAT")
    live = heard_live(path, SECONDS)
    assert live[0]["audio"]["source"] == "mic"
    assert live[-1] == {"type": "bye", "reason": "shutdown"}
    assert not [m for m in live if m["type"] == "status"], "no sample was lost"
    ends = [m["end_ms"] for m in live if m["type"] == "prediction"]
    assert all(b - a == 200 for a, b in pairwise(ends))
    pairs, events, before = aligned(live, samples)
    assert len(pairs) >= 5 * SECONDS - 1
    assert agreement(pairs) >= 0.95, [p for p in pairs if p[0] != p[1]]
    assert len({b for _, b in pairs}) >= 4, "the file has several labels"
    said = [
        (m["label"], m["end_ms"] - m["start_ms"])
        for m in live
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
    assert before > 0
