"""Samples in, predictions and emotions out, however the samples were cut."""

from dataclasses import astuple
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_stream.errors import ConfigError
from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.front_end import FrontEndConfig, frames_of
from ser_stream.pipeline.geometry import CPAC
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.vad import SpeechGate
from ser_stream.pipeline.values import (
    Block,
    Chunk,
    EmotionEvent,
    EncoderState,
    FloatArray,
    Gap,
    Phase,
    Prediction,
    SpeechState,
    StreamEvent,
)
from ser_stream.tuning.replay import SettingsGrid, replay

SECOND = 16_000
FRONT_END = FrontEndConfig()
LABELS = ("angry", "happy", "sad")


class MeanRecognizer:
    """Scores that depend on every bit of every frame, without a network."""

    geometry = CPAC

    def __init__(self) -> None:
        self.labels = LABELS
        self.encoded: list[FloatArray] = []

    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        # It keeps the last 30 frames, where a network keeps rows of its layers.
        whole = frames[4:] if state is None else np.concatenate([state[0], frames[2:]])
        self.encoded.append(whole.copy())
        n = (len(whole) - 30) // 8
        columns = np.zeros((n, 6, 64), np.float32)
        for k in range(n):
            columns[k, 0, :39] = whole[8 * k : 8 * k + 38].mean(0)
        return columns, (whole[-30:].copy(),)

    def scores(self, columns: FloatArray, speaker: object = None, /) -> FloatArray:
        mean = columns[:, 0, 1:4].mean(0)
        powers = np.exp(mean / np.abs(mean).max())
        result: FloatArray = powers / powers.sum()
        return result


class SureRecognizer(MeanRecognizer):
    """Gives anger for any speech."""

    def scores(self, columns: FloatArray, speaker: object = None, /) -> FloatArray:
        return np.array([0.9, 0.06, 0.04], np.float32)


def zeros(seconds: float) -> FloatArray:
    return np.zeros(round(seconds * SECOND), np.float32)


def pipeline(recognizer: MeanRecognizer | None = None, **options: Any) -> Pipeline:
    return Pipeline(
        recognizer or MeanRecognizer(), FRONT_END, PipelineConfig(**options)
    )


def run(heart: Pipeline, *chunks: Chunk) -> list[StreamEvent]:
    events = [event for chunk in chunks for event in heart.feed(chunk)]
    return events + heart.flush()


def predictions(events: list[StreamEvent]) -> list[Prediction]:
    return [event for event in events if isinstance(event, Prediction)]


def emotions(events: list[StreamEvent]) -> list[EmotionEvent]:
    return [event for event in events if isinstance(event, EmotionEvent)]


def bits(events: list[StreamEvent]) -> list[tuple[Any, ...]]:
    """Everything in the events; scores as bytes, so that equal means identical."""
    return [
        (type(event).__name__, *astuple(event)[:5], event.scores.tobytes())
        if isinstance(event, Prediction) and event.scores is not None
        else (type(event).__name__, *astuple(event))
        for event in events
    ]


@pytest.fixture(scope="module")
def talk(clips: dict[str, FloatArray]) -> FloatArray:
    """Silence, a clip, a short pause, another, a long pause, a third: 11 s."""
    a, b, c = clips["03a01Wa"], clips["08a04Ff"], clips["11a07Ta"]
    parts = [zeros(1.0), a, zeros(0.2), b, zeros(1.5), c, zeros(1.5)]
    return np.concatenate(parts)


@pytest.mark.parametrize("start", [0.0, 1.0])
def test_the_first_prediction_is_due_at_sample_8200_then_every_3200(
    start: float, clip: FloatArray
) -> None:
    heart = pipeline()
    samples = np.concatenate([zeros(start), clip])
    due: list[tuple[int, int]] = []
    for i in range(len(samples)):
        for event in heart.feed(Chunk(i, samples[i : i + 1])):
            if isinstance(event, Prediction):
                due.append((event.end, i + 1))
    # Each comes with the very sample it ends with: nothing waits for more.
    expected = range(8200, len(samples) + 1, 3200)
    assert due == [(end, end) for end in expected]


@pytest.mark.parametrize(("step_s", "step"), [(0.1, 1600), (0.3, 4800), (2.0, 32_000)])
def test_the_step_can_be_any_multiple_of_a_tenth(
    step_s: float, step: int, talk: FloatArray
) -> None:
    events = run(pipeline(step_s=step_s), Chunk(0, talk))
    ends = [p.end for p in predictions(events)]
    assert ends == list(range(8200, len(talk) + 1, step))


@settings(max_examples=15)
@given(
    cuts=st.lists(st.integers(0, 170_000), max_size=60),
    start=st.sampled_from([0, 1, 4000]),
)
def test_any_chunking_gives_identical_events_bit_for_bit(
    cuts: list[int], start: int, talk: FloatArray
) -> None:
    edges = [0, *sorted(c for c in cuts if c < len(talk)), len(talk)]
    chunks = [Chunk(start + a, talk[a:b]) for a, b in pairwise(edges)]
    whole = run(pipeline(), Chunk(start, talk))
    assert bits(run(pipeline(), *chunks)) == bits(whole)
    assert any(p.state is SpeechState.SPEECH for p in predictions(whole))


@settings(max_examples=8)
@given(
    cuts=st.lists(st.integers(0, 170_000), max_size=30),
    lost=st.tuples(st.integers(20_000, 60_000), st.integers(1, 20_000)),
)
def test_with_a_gap_too_any_chunking_gives_identical_events(
    cuts: list[int], lost: tuple[int, int], talk: FloatArray
) -> None:
    begin, end = lost[0], sum(lost)
    parts = ((0, talk[:begin]), (end, talk[end:]))
    edges = [0, *sorted(c for c in cuts if c < begin), begin]
    chunks = [Chunk(a, talk[a:b]) for a, b in pairwise(edges)]
    edges = [end, *sorted(c for c in cuts if end < c < len(talk)), len(talk)]
    chunks += [Chunk(a, talk[a:b]) for a, b in pairwise(edges)]
    whole = run(pipeline(), *[Chunk(start, samples) for start, samples in parts])
    assert bits(run(pipeline(), *chunks)) == bits(whole)
    gaps = [event for event in whole if isinstance(event, Gap)]
    assert [(gap.start, gap.end) for gap in gaps] == [(begin, end)]


@settings(max_examples=5)
@given(cuts=st.lists(st.integers(0, 170_000), max_size=60))
def test_with_the_packaged_model_any_chunking_gives_identical_events(
    cuts: list[int], talk: FloatArray
) -> None:
    def hear(chunks: list[Chunk]) -> list[StreamEvent]:
        bundle = load_bundle("open")
        return run(Pipeline(OnnxRecognizer(bundle), bundle.front_end), *chunks)

    edges = [0, *sorted(c for c in cuts if c < len(talk)), len(talk)]
    chunks = [Chunk(a, talk[a:b]) for a, b in pairwise(edges)]
    whole = hear([Chunk(0, talk)])
    assert bits(hear(chunks)) == bits(whole)
    assert any(p.state is SpeechState.SPEECH for p in predictions(whole))


def test_the_recognizer_sees_each_frame_of_a_whole_signal_as_it_is(
    clip: FloatArray,
) -> None:
    recognizer = MeanRecognizer()
    samples = np.concatenate([clip, clip])
    events = predictions(run(pipeline(recognizer), Chunk(0, samples)))
    start = next(p.start for p in events if p.state is SpeechState.SPEECH) // 1600 * 8
    frames = frames_of(samples, FRONT_END)
    for encoded in recognizer.encoded:
        assert np.array_equal(encoded, frames[start : start + len(encoded)])
        start += len(encoded) - 30


def test_silence_is_no_speech_and_costs_no_recognition() -> None:
    recognizer = MeanRecognizer()
    events = run(pipeline(recognizer), Chunk(0, zeros(5.0)))
    assert len(events) == 1 + (5 * SECOND - 8200) // 3200
    for event in predictions(events):
        assert event.state is SpeechState.NO_SPEECH
        assert event.label is None
        assert event.scores is None
        assert event.confidence is None
        assert event.columns == 0
        assert event.level_dbfs == -120.0
        assert event.end - event.start == 3200
    assert recognizer.encoded == []


@pytest.mark.parametrize("dbfs", [-60.0, -30.0, -12.0])
def test_noise_is_no_speech(dbfs: float, rng: np.random.Generator) -> None:
    noise = rng.standard_normal(8 * SECOND) * 10 ** (dbfs / 20)
    samples = np.clip(noise, -1.0, 1.0).astype(np.float32)
    recognizer = MeanRecognizer()
    events = predictions(run(pipeline(recognizer), Chunk(0, samples)))
    assert {event.state for event in events} == {SpeechState.NO_SPEECH}
    assert recognizer.encoded == []
    assert [e.level_dbfs for e in events[1:]] == pytest.approx(
        [dbfs] * (len(events) - 1), abs=0.5
    )


def test_the_level_is_that_of_the_step() -> None:
    # Full scale from sample 40 000 on; a step lies wholly before or after.
    samples = np.concatenate([zeros(40_200 / SECOND), np.ones(20_000, np.float32)])
    events = predictions(run(pipeline(), Chunk(0, samples)))
    assert {p.level_dbfs for p in events if p.end <= 40_200} == {-120.0}
    assert [p.level_dbfs for p in events if p.start >= 40_200] == [0.0] * 6


def test_the_first_level_is_that_of_its_step_too() -> None:
    events = predictions(run(pipeline(), Chunk(0, np.ones(8200, np.float32))))
    assert [p.level_dbfs for p in events] == [0.0]


def test_the_peak_is_that_of_the_step_where_the_level_shows_nothing() -> None:
    # Steps end at 8200 + 3200 k: the lone samples are the first and the last of one.
    samples = zeros(2)
    samples[11_400], samples[17_799], samples[24_000] = -1.0, 0.5, 0.999
    events = predictions(run(pipeline(), Chunk(0, samples)))
    found = [round(p.peak_dbfs, 1) for p in events]
    assert found == [-120.0, -120.0, 0.0, -6.0, -120.0, 0.0, -120.0, -120.0]
    assert max(p.level_dbfs for p in events) < -30


def test_the_window_starts_at_most_0_3_s_before_speech_and_grows_to_25(
    talk: FloatArray,
) -> None:
    spoken = [
        p
        for p in predictions(run(pipeline(), Chunk(0, talk)))
        if p.state is SpeechState.SPEECH
    ]
    # The clip begins at 16 000, and its first word about 2200 samples later.
    began = 18_000
    assert began - 4800 - 1600 <= spoken[0].start <= began
    for p in spoken:
        assert p.end - p.start == 8200 + 1600 * (p.columns - 1)
    assert max(p.columns for p in spoken) == 25


def test_a_window_takes_in_0_3_s_before_the_speech_gate_opened(
    clips: dict[str, FloatArray],
) -> None:
    for clip in clips.values():
        samples = np.concatenate([zeros(2.0), clip])
        gate = SpeechGate()
        blocks = [b for b in Blocker().feed(Chunk(0, samples)) if isinstance(b, Block)]
        began = next(r.began for r in map(gate.feed, blocks) if r.began is not None)
        events = predictions(run(pipeline(), Chunk(0, samples)))
        start = next(p.start for p in events if p.state is SpeechState.SPEECH)
        # The first column that begins no earlier than 0.3 s before.
        assert start % 1600 == 0
        assert 0 <= start - (began - 4800) < 1600


def test_a_pause_of_more_than_0_6_s_clears_the_window_and_a_shorter_one_stays(
    clips: dict[str, FloatArray],
) -> None:
    a, b = clips["03a01Wa"], clips["08a04Ff"]

    def states(pause: float) -> tuple[set[int], list[SpeechState]]:
        samples = np.concatenate([a, zeros(pause), b])
        events = predictions(run(pipeline(step_s=0.1), Chunk(0, samples)))
        first = next(i for i, p in enumerate(events) if p.state is SpeechState.SPEECH)
        spoken = [p for p in events[first:] if p.state is SpeechState.SPEECH]
        # Where the windows that have not slid yet began.
        starts = {p.start for p in spoken if p.columns < 25}
        return starts, [p.state for p in events[first:]]

    starts, seen = states(0.2)
    assert len(starts) == 1
    assert set(seen) == {SpeechState.SPEECH}
    starts, seen = states(1.0)
    assert len(starts) == 2
    assert SpeechState.NO_SPEECH in seen
    # The second window holds nothing of the first clip.
    assert max(starts) > len(a)


def test_an_emotion_begins_in_speech_and_ends_with_it(talk: FloatArray) -> None:
    short = SmoothingConfig(max_pause_s=0.4)
    events = emotions(run(pipeline(SureRecognizer(), smoothing=short), Chunk(0, talk)))
    starts = [e for e in events if e.phase is Phase.START]
    ends = [e for e in events if e.phase is Phase.END]
    assert [e.id for e in starts] == [e.id for e in ends] == [1, 2]
    assert {e.label for e in events} == {"angry"}
    first_voice, long_pause = 16_000, 16_000 + 30_045 + 3200 + 28_810
    assert first_voice <= starts[0].start < ends[0].end <= long_pause + 14_400
    assert long_pause + 16_000 <= starts[1].start


def test_flush_ends_the_emotion_that_goes_on(clip: FloatArray) -> None:
    heart = pipeline(SureRecognizer())
    before = heart.feed(Chunk(0, clip))
    assert emotions(before)[0].phase is Phase.START
    assert Phase.END not in [e.phase for e in emotions(before)]
    assert [e.phase for e in emotions(heart.flush())] == [Phase.END]
    assert heart.flush() == []


def test_a_gap_is_reported_ends_the_emotion_and_resets_every_stage(
    clip: FloatArray,
) -> None:
    heart = pipeline(SureRecognizer())
    before = heart.feed(Chunk(0, clip))
    assert predictions(before)[-1].state is SpeechState.SPEECH
    after = heart.feed(Chunk(100_001, clip))
    end, gap = after[0], after[1]
    assert isinstance(end, EmotionEvent)
    assert end.phase is Phase.END
    assert isinstance(gap, Gap)
    assert (gap.start, gap.end) == (len(clip), 100_001)
    # What follows is what a stream that began there gives; only ids count on.
    alone = pipeline(SureRecognizer()).feed(Chunk(100_001, clip))
    assert bits(list(predictions(after))) == bits(list(predictions(alone)))
    assert {e.id for e in emotions(after[2:])} == {2}
    assert {e.id for e in emotions(alone)} == {1}
    assert all(p.start >= 100_001 for p in predictions(after))


def test_predictions_stay_on_the_absolute_grid_after_a_gap(clip: FloatArray) -> None:
    heart = pipeline()
    heart.feed(Chunk(0, clip))
    ends = [p.end for p in predictions(heart.feed(Chunk(100_001, clip)))]
    assert all(end % 3200 == 8200 % 3200 for end in ends)
    assert [b - a for a, b in pairwise(ends)] == [3200] * (len(ends) - 1)


def test_a_chunk_that_goes_backwards_is_refused(clip: FloatArray) -> None:
    heart = pipeline()
    heart.feed(Chunk(0, clip[:1000]))
    with pytest.raises(ValueError, match="before the end 1000"):
        heart.feed(Chunk(999, clip[:1000]))


def test_a_step_that_is_not_sure_is_labelled_uncertain(clip: FloatArray) -> None:
    class Unsure(MeanRecognizer):
        def scores(self, columns: FloatArray, speaker: object = None, /) -> FloatArray:
            return np.array([0.33, 0.34, 0.33], np.float32)

    events = run(pipeline(Unsure()), Chunk(0, clip))
    spoken = [p for p in predictions(events) if p.state is SpeechState.SPEECH]
    assert {p.label for p in spoken} == {"uncertain"}
    assert spoken[0].confidence == pytest.approx(0.34)
    assert emotions(events) == []


@pytest.mark.parametrize(
    ("window_s", "columns"),
    [(0.5, 1), (0.5125, 1), (0.6125, 2), (1.0, 6), (2.9125, 25), (3.0, 25)],
)
def test_a_window_is_a_number_of_columns(window_s: float, columns: int) -> None:
    assert PipelineConfig(window_s=window_s).columns(CPAC) == columns


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_s": 0.25}, "step is 0.25 s; allowed: a multiple of 0.1 from 0.1 to 2"),
        ({"step_s": 0.0}, "step is 0 s"),
        ({"step_s": 2.1}, "step is 2.1 s"),
        ({"step_s": float("nan")}, "step is nan s"),
        ({"window_s": 0.4}, "window is 0.4 s; allowed: from 0.5125 to 2.9125 s"),
        ({"window_s": 5.0}, "window is 5 s"),
        ({"window_s": float("nan")}, "window is nan s"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    options: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        PipelineConfig(**options).columns(CPAC)  # type: ignore[arg-type]


class Angry:
    """Gives anger for any speech."""

    labels = ("angry", "happy")
    geometry = CPAC

    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        extra = CPAC.cold_frames if state is None else CPAC.kept_frames
        n = (len(frames) - extra) // 8
        return np.zeros((n, 6, 64), np.float32), (frames,)

    def scores(self, columns: FloatArray, speaker: object = None, /) -> FloatArray:
        return np.array([0.9, 0.1], np.float32)


@pytest.mark.parametrize(("longest_s", "times"), [(0.1, 2), (1.5, 1)])
def test_a_pause_between_two_long_steps_ends_the_emotion_if_it_is_too_long(
    longest_s: float, times: int, clips: dict[str, FloatArray]
) -> None:
    speech = np.tile(clips["03a01Wa"], 3)
    parts = [zeros(0.4), speech, zeros(13_000 / SECOND), speech, zeros(1.0)]
    smoothing = SmoothingConfig(max_pause_s=longest_s, heard_s=0.0)
    config = PipelineConfig(step_s=2.0, smoothing=smoothing)
    stream = Pipeline(Angry(), FrontEndConfig(), config)
    events = stream.feed(Chunk(0, np.concatenate(parts))) + stream.flush()
    phases = [e.phase.value for e in events if isinstance(e, EmotionEvent)]
    assert [p for p in phases if p != "update"] == ["start", "end"] * times


@pytest.mark.parametrize("columns", [1, 2, 9, 16, 24, 25])
def test_the_longest_window_decides_however_long_it_is(
    columns: int, talk: FloatArray
) -> None:
    heart = pipeline(
        SureRecognizer(),
        window_s=CPAC.window_length(columns) / SECOND,
        smoothing=SmoothingConfig(heard_s=9.0),
    )
    events = run(heart, Chunk(0, talk))
    assert emotions(events)[0].phase is Phase.START
    # Nor does a search on what was predicted find it silent.
    steps = predictions(events)
    active = replay(steps, SettingsGrid([heart.config.smoothing]))[:, 0]
    began = int(np.flatnonzero(active >= 0)[0])
    assert steps[began].columns == columns
    assert steps[began].end == emotions(events)[0].end
