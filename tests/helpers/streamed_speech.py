"""Clips with pauses, streamed through a pipeline in one piece or in many."""

from collections.abc import Sequence

import numpy as np

from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.values import Chunk, FloatArray, Prediction, StreamEvent
from tests.helpers.paths import DATA
from training.corpora.utterance import read_samples

CLIPS = sorted(DATA.glob("???????.flac"))[:3]


def clips_with_pauses() -> FloatArray:
    pause = np.zeros(16_000, np.float32)
    clips = [read_samples(path) for path in CLIPS]
    return np.concatenate([part for clip in clips for part in (clip, pause)])


def heard(pipeline: Pipeline, *chunks: Chunk) -> list[StreamEvent]:
    events = [event for chunk in chunks for event in pipeline.feed(chunk)]
    return [*events, *pipeline.flush()]


def spoken(events: list[StreamEvent]) -> list[Prediction]:
    return [e for e in events if isinstance(e, Prediction) and e.scores is not None]


def first_turn(steps: Sequence[Prediction]) -> list[Prediction]:
    """Those before the window begins anew."""
    turn = [steps[0]]
    for step in steps[1:]:
        if step.columns < turn[-1].columns:
            break
        turn.append(step)
    return turn


def same(a: StreamEvent, b: StreamEvent) -> bool:
    """To the last bit."""
    if not isinstance(a, Prediction) or not isinstance(b, Prediction):
        return a == b
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in Prediction.__slots__
    )


def cut_up(samples: FloatArray, sizes: Sequence[int]) -> list[Chunk]:
    """In chunks of these sizes, over and over."""
    chunks: list[Chunk] = []
    start = 0
    while start < len(samples):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(Chunk(start, samples[start : start + size]))
        start += size
    return chunks
