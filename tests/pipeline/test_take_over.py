"""A model or a setting is swapped between two steps, and no sample is lost."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.normalise import NormaliseConfig
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import (
    Chunk,
    EmotionEvent,
    FloatArray,
    Phase,
    Prediction,
)
from tests.helpers.paths import MINUTE
from tests.helpers.unknown_voices import OfUnknownVoices

SECONDS = 14


@pytest.fixture(scope="module")
def speech() -> FloatArray:
    samples: FloatArray = soundfile.read(
        MINUTE, dtype="float32", stop=SECONDS * 16_000
    )[0]
    return samples


def config(bundle: Bundle, step_s: float = 0.2) -> PipelineConfig:
    return PipelineConfig(step_s=step_s, smoothing=bundle.thresholds)


def predictions(events: list[object]) -> list[Prediction]:
    return [event for event in events if isinstance(event, Prediction)]


def emotions(events: list[object]) -> list[EmotionEvent]:
    return [event for event in events if isinstance(event, EmotionEvent)]


@pytest.mark.parametrize("cut", [4_000, 37_777, 64_000, 101_000, 150_123])
def test_the_same_model_again_changes_nothing_at_whatever_moment(
    bundle: Bundle, recognizer: OnnxRecognizer, speech: FloatArray, cut: int
) -> None:
    def new() -> Pipeline:
        return Pipeline(recognizer, bundle.front_end, config(bundle))

    whole = new()
    expected: list[object] = [*whole.feed(Chunk(0, speech)), *whole.flush()]
    first, second = new(), new()
    events: list[object] = list(first.feed(Chunk(0, speech[:cut])))
    events += second.take_over_from(first)
    events += second.feed(Chunk(cut, speech[cut:]))
    events += second.flush()
    for a, b in zip(predictions(events), predictions(expected), strict=True):
        assert (a.start, a.end, a.state, a.label) == (b.start, b.end, b.state, b.label)
        assert a.columns == b.columns
        if a.scores is not None and b.scores is not None:
            np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)
    assert [(e.phase, e.id, e.label, e.start) for e in emotions(events)] == [
        (e.phase, e.id, e.label, e.start) for e in emotions(expected)
    ]


class Named:
    """The real model with labels of other names."""

    def __init__(self, recognizer: OnnxRecognizer) -> None:
        self.labels = tuple(f"other {label}" for label in recognizer.labels)
        self.geometry = recognizer.geometry
        self.encode = recognizer.encode
        self.scores = recognizer.scores


def test_other_labels_end_the_emotion_and_numbers_go_on(
    bundle: Bundle, recognizer: OnnxRecognizer, speech: FloatArray
) -> None:
    first = Pipeline(recognizer, bundle.front_end, config(bundle))
    before: list[object] = []
    cut = 0
    while not emotions(before):
        before += first.feed(Chunk(cut, speech[cut : cut + 1600]))
        cut += 1600
    second = Pipeline(Named(recognizer), bundle.front_end, config(bundle))
    ended: list[object] = list(second.take_over_from(first))
    assert [e.phase for e in emotions(ended)] == [Phase.END]
    after: list[object] = [*second.feed(Chunk(cut, speech[cut:])), *second.flush()]
    starts = [e for e in emotions(after) if e.phase is Phase.START]
    assert [e.id for e in starts] == list(range(2, len(starts) + 2))
    assert all(e.label.startswith("other ") for e in starts)
    # No step is left out, and the window is as long as if it had always been this one.
    steps = predictions([*before, *after])
    assert {b.end - a.end for a, b in pairwise(steps)} == {3200}
    assert predictions(after)[0].columns == predictions(before)[-1].columns + 2


def test_another_front_end_gets_the_speech_before_it_came(
    bundle: Bundle, speech: FloatArray
) -> None:
    recognizer = OfUnknownVoices(bundle)
    other = replace(bundle.front_end, normalise=NormaliseConfig("fixed"), floor=None)
    assert isinstance(other, FrontEndConfig)
    cut = 64_000
    always = Pipeline(recognizer, other, config(bundle))
    expected = predictions(list(always.feed(Chunk(0, speech))))
    first = Pipeline(recognizer, bundle.front_end, config(bundle))
    second = Pipeline(recognizer, other, config(bundle))
    before: list[object] = list(first.feed(Chunk(0, speech[:cut])))
    assert second.take_over_from(first) == []
    steps = predictions([*before, *second.feed(Chunk(cut, speech[cut:]))])
    assert [s.end for s in steps] == [s.end for s in expected]
    for a, b in zip(steps, expected, strict=True):
        assert (a.state, a.columns) == (b.state, b.columns)
        if a.scores is not None and b.scores is not None and b.end > cut:
            # Neither has a memory, so the window alone decides.
            np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)


def test_a_longer_step_takes_effect_at_once(
    bundle: Bundle, recognizer: OnnxRecognizer, speech: FloatArray
) -> None:
    first = Pipeline(recognizer, bundle.front_end, config(bundle))
    second = Pipeline(recognizer, bundle.front_end, config(bundle, step_s=0.5))
    first.feed(Chunk(0, speech[:64_000]))
    second.take_over_from(first)
    steps = predictions(list(second.feed(Chunk(64_000, speech[64_000:]))))
    assert {b.end - a.end for a, b in pairwise(steps)} == {8000}
