"""Who speaks, along a stream."""

from dataclasses import replace

import numpy as np
import pytest

from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.together import feed_together
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    Chunk,
    EmotionEvent,
    FloatArray,
    Prediction,
    StreamEvent,
)
from ser_stream.pipeline.voices.clusters import REMEMBERED_S
from tests.helpers import two_people
from tests.helpers.two_people import MAN, WOMAN

ODD = (320, 1, 1600, 777, 16000, 1599, 8200, 50)


@pytest.fixture(scope="module")
def talk() -> tuple[FloatArray, list[tuple[int, int, str]]]:
    return two_people.talk()


@pytest.fixture(scope="module")
def recognizer() -> OnnxRecognizer:
    return OnnxRecognizer(load_bundle("open"))


def events_of(
    recognizer: OnnxRecognizer, samples: FloatArray, cuts: tuple[int, ...], most: int
) -> list[StreamEvent]:
    pipeline = new(recognizer, most)
    events, at, i = [], 0, 0
    while at < len(samples):
        n = cuts[i % len(cuts)]
        events += pipeline.feed(Chunk(at, samples[at : at + n]))
        at, i = at + n, i + 1
    return [*events, *pipeline.flush()]


def new(recognizer: OnnxRecognizer, most: int) -> Pipeline:
    config = PipelineConfig(most_speakers=most)
    return Pipeline(recognizer, load_bundle("open").front_end, config)


def plain(events: list[StreamEvent]) -> list[str]:
    """All that is said, but who speaks."""
    return [
        repr(
            replace(event, speaker=None)
            if isinstance(event, Prediction | EmotionEvent)
            else event
        )
        for event in events
    ]


def test_turns_have_numbers_and_all_else_is_as_without_them(
    recognizer: OnnxRecognizer,
    talk: tuple[FloatArray, list[tuple[int, int, str]]],
) -> None:
    samples, turns = talk
    told = events_of(recognizer, samples, (1600,), 4)
    again = events_of(recognizer, samples, ODD, 4)
    assert list(map(repr, told)) == list(map(repr, again))
    silent = events_of(recognizer, samples, (SAMPLE_RATE,), 0)
    assert plain(told) == plain(silent)
    assert {e.speaker for e in silent if isinstance(e, Prediction)} == {None}

    predictions = [e for e in told if isinstance(e, Prediction)]
    said = []
    for start, end, who in turns:
        within = [p for p in predictions if start < p.end <= end]
        # Nothing of the first second, then a number to the end.
        assert {p.speaker for p in within if p.end < start + SAMPLE_RATE} == {None}
        said.append((who, [p.speaker for p in within if p.speaker is not None][-1]))
    man = said[1][1]
    assert man != 1
    assert set(said) == {(WOMAN, 1), (MAN, man)}
    assert {p.speaker for p in predictions if p.scores is None} == {None}
    emotions = [e for e in told if isinstance(e, EmotionEvent)]
    assert any(e.speaker is not None for e in emotions)


def test_a_day_later_nobody_is_known_though_nobody_speaks(
    recognizer: OnnxRecognizer,
    talk: tuple[FloatArray, list[tuple[int, int, str]]],
) -> None:
    samples, _ = talk
    pipeline = new(recognizer, 4)
    assert pipeline.who is not None
    pipeline.feed(Chunk(0, samples))
    assert len(list(pipeline.who.voices)) == 2
    quiet = np.zeros(SAMPLE_RATE, np.float32)
    almost = round((REMEMBERED_S - 60) * SAMPLE_RATE)
    pipeline.feed(Chunk(almost, quiet))
    assert len(list(pipeline.who.voices)) == 2
    pipeline.feed(Chunk(len(samples) + almost + 60 * SAMPLE_RATE, quiet))
    assert not list(pipeline.who.voices)


def test_it_outlives_another_model_and_a_gap_and_streams_do_not_mix(
    recognizer: OnnxRecognizer,
    talk: tuple[FloatArray, list[tuple[int, int, str]]],
) -> None:
    samples, _ = talk
    alone = events_of(recognizer, samples, (SAMPLE_RATE,), 4)
    pipelines = [new(recognizer, 4), new(recognizer, 4), new(recognizer, 0)]
    shifted = np.concatenate([samples[4 * SAMPLE_RATE :], samples[: 4 * SAMPLE_RATE]])
    heard: list[StreamEvent] = []
    for at in range(0, len(samples), SAMPLE_RATE):
        pieces = [each[at : at + SAMPLE_RATE] for each in (samples, shifted, samples)]
        chunks = [Chunk(at, piece) for piece in pieces]
        heard += feed_together(list(zip(pipelines, chunks, strict=True)))[0]
    heard += pipelines[0].flush()
    speakers = [e.speaker for e in alone if isinstance(e, Prediction)]
    assert [e.speaker for e in heard if isinstance(e, Prediction)] == speakers

    # Samples are lost, and another configuration comes: the numbers go on.
    first, second = pipelines[0], new(recognizer, 2)
    second.take_over_from(first)
    assert second.who is first.who
    later = len(samples) + 5 * SAMPLE_RATE
    events = [*second.feed(Chunk(later, samples)), *second.flush()]
    numbers = {e.speaker for e in events if isinstance(e, Prediction)} - {None}
    assert numbers == set(speakers) - {None}
