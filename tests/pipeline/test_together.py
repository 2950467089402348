"""Streams fed together say what each says alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.speaker import KnownVoice, Speaker
from ser_stream.pipeline.together import StreamsError, feed_together
from ser_stream.pipeline.values import (
    Chunk,
    EmotionEvent,
    FloatArray,
    Gap,
    Prediction,
    SpeechWindow,
    StreamEvent,
)
from tests.helpers.paths import MINUTE
from tests.helpers.unknown_voices import OfUnknownVoices

ROUNDING = 1e-6
"""Of scores."""
ODD = (320, 1, 1600, 777, 3333, 1599, 8200, 50)
"""Lengths of chunks, in samples."""


@pytest.fixture(scope="module")
def minute() -> FloatArray:
    samples: FloatArray = soundfile.read(MINUTE, dtype="float32")[0]
    return samples


def chunks_of(
    samples: FloatArray, phase: int, gap_at: int | None = None
) -> list[Chunk]:
    """Chunks of odd lengths; where there is a gap, 0.35 s are missing."""
    chunks, at, i = [], 0, phase
    while at < len(samples):
        n = ODD[i % len(ODD)]
        if gap_at is None or not gap_at <= at < gap_at + 5600:
            chunks.append(Chunk(at, samples[at : at + n]))
        at += n
        i += 1
    return chunks


def assert_same(
    found: Sequence[StreamEvent], truth: Sequence[StreamEvent], exact: bool = False
) -> None:
    """The same events; scores equal but for rounding, or to the last bit."""
    near = 0.0 if exact else ROUNDING
    assert [type(event) for event in found] == [type(event) for event in truth]
    for one, other in zip(found, truth, strict=True):
        if isinstance(one, Gap):
            assert one == other
        elif isinstance(one, EmotionEvent) and isinstance(other, EmotionEvent):
            assert one.confidence == pytest.approx(other.confidence, abs=near)
            assert replace(one, confidence=0) == replace(other, confidence=0)
        elif isinstance(one, Prediction) and isinstance(other, Prediction):
            for name in ("start", "end", "state", "level_dbfs", "label", "columns"):
                assert getattr(one, name) == getattr(other, name)
            assert (one.scores is None) == (other.scores is None)
            if one.scores is not None and other.scores is not None:
                np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=near)
            assert one.familiarity == pytest.approx(other.familiarity, abs=1e-4)


def test_many_streams_together_say_what_each_says_alone(
    bundle: Bundle, recognizer: OnnxRecognizer, minute: FloatArray
) -> None:
    accurate = load_bundle("accurate")
    networks = {
        "open": (recognizer, bundle.front_end),
        # Each step computed by itself, for it may be anything; and another network,
        # with another front end, which hears windows whole.
        "strangers": (OfUnknownVoices(bundle), bundle.front_end),
        "accurate": (OnnxRecognizer(accurate), accurate.front_end),
    }
    steady = PipelineConfig(smoothing=bundle.thresholds)
    slow = replace(steady, step_s=0.5)
    short = replace(steady, window_s=1.0)
    rng = np.random.default_rng(0)
    heard, taught = (
        rng.normal(0, scale, shape).astype(np.float32)
        for scale, shape in ((1.0, 192), (0.1, (5, 192)))
    )
    voice = KnownVoice(heard, 20.0, taught)
    kinds = [
        # Network, settings, voice, beginning and seconds in the minute, gap, delay.
        ("open", steady, None, 0, 9.0, None, 0),
        ("open", steady, None, 101_333, 9.0, 70_000, 0),
        ("open", steady, voice, 230_007, 8.0, None, 0),
        ("open", steady, None, 330_007, 6.0, None, 17),
        ("open", slow, None, 440_007, 8.0, 50_000, 0),
        ("open", short, None, 540_001, 8.0, None, 3),
        ("strangers", steady, None, 0, 3.0, None, 0),
        ("strangers", steady, None, 50_000, 3.0, None, 0),
        ("accurate", steady, None, 0, 2.5, None, 0),
        ("accurate", steady, None, 101_333, 2.5, None, 1),
    ]
    windows: dict[str, dict[int, list[SpeechWindow]]] = {"alone": {}, "together": {}}

    def new(way: str, i: int) -> Pipeline:
        name, config, known, *_ = kinds[i]
        listener = windows[way].setdefault(i, []).append
        return Pipeline(
            *networks[name], config, listener, Speaker(config.step_s, known)
        )

    work = [
        [Chunk(0, np.zeros(0, np.float32))] * delay
        + chunks_of(minute[at : at + round(16_000 * seconds)], i, gap)
        for i, (_, _, _, at, seconds, gap, delay) in enumerate(kinds)
    ]
    alone = []
    for i, chunks in enumerate(work):
        pipeline = new("alone", i)
        events = [event for chunk in chunks for event in pipeline.feed(chunk)]
        alone.append([*events, *pipeline.flush()])
    pipelines = [new("together", i) for i in range(len(work))]
    together: list[list[StreamEvent]] = [[] for _ in work]
    for turn in range(0, max(map(len, work)), 2):
        # Some bring two chunks at once.
        due = [(i, c) for i, chunks in enumerate(work) for c in chunks[turn : turn + 2]]
        found = feed_together([(pipelines[i], chunk) for i, chunk in due])
        for (i, _), events in zip(due, found, strict=True):
            together[i] += events
    for i, pipeline in enumerate(pipelines):
        together[i] += pipeline.flush()
        assert_same(together[i], alone[i])
        assert sum(isinstance(e, Gap) for e in together[i]) == (kinds[i][5] is not None)
        turns = [w.turn for w in windows["alone"][i]]
        assert [w.turn for w in windows["together"][i]] == turns
        for one, other in zip(windows["together"][i], windows["alone"][i], strict=True):
            np.testing.assert_allclose(one.frames, other.frames, rtol=1e-5, atol=1e-4)
    assert sum(map(len, windows["alone"].values())) > 5


def test_one_stream_says_the_same_to_the_last_bit(
    bundle: Bundle, recognizer: OnnxRecognizer, minute: FloatArray
) -> None:
    one, other = (Pipeline(recognizer, bundle.front_end) for _ in range(2))
    for chunk in chunks_of(minute[:80_000], 0):
        (events,) = feed_together([(one, chunk)])
        assert_same(events, other.feed(chunk), exact=True)


def test_what_fails_in_one_stream_leaves_the_others_alone(
    bundle: Bundle, recognizer: OnnxRecognizer, minute: FloatArray
) -> None:
    class FullError(Exception):
        pass

    def full(window: SpeechWindow) -> None:
        del window
        raise FullError("no room")

    def new(listener: Callable[[SpeechWindow], None] | None = None) -> Pipeline:
        return Pipeline(recognizer, bundle.front_end, listener=listener)

    long = Chunk(0, minute[:112_000])
    truth = new().feed(long)
    back, beyond = Chunk(10, minute[:200]), Chunk(112_000, minute[112_000:116_000])
    confused = new()
    work = [(new(), long), (new(full), long), (confused, long)]
    work += [(confused, back), (confused, beyond), (new(), long)]
    with pytest.raises(StreamsError, match="2 of 6") as caught:
        feed_together(work)
    errors, events = caught.value.errors, caught.value.events
    assert {i: type(error) for i, error in errors.items()} == {
        1: FullError,
        3: ValueError,
    }
    for i in (0, 2, 5):
        assert_same(events[i], truth)
    assert events[3] == []
    assert events[4]
    assert feed_together([]) == []
