"""A whole recording in one go says what the live pipeline says of it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_stream.pipeline.batch.record import (
    CUT_LENGTH,
    cuts,
    record_each,
    record_whole,
)
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.recording import Recording, Summary, record
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.speaker import KnownVoice, Speaker
from ser_stream.pipeline.vad import SpeechGateConfig
from ser_stream.pipeline.values import Chunk, EncoderState, FloatArray, Prediction
from tests.helpers.paths import MINUTE
from tests.helpers.same_recording import assert_same
from tests.helpers.two_people import talk

SECOND = 16_000


@pytest.fixture(scope="module")
def minute() -> FloatArray:
    samples: FloatArray = soundfile.read(MINUTE, dtype="float32")[0]
    return samples


def zeros(seconds: float) -> FloatArray:
    return np.zeros(round(seconds * SECOND), np.float32)


def noise(seconds: float, dbfs: float, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** (dbfs / 20.0)
    return rng.normal(0.0, scale, round(seconds * SECOND)).astype(np.float32)


def both(
    samples: FloatArray,
    recognizer: OnnxRecognizer,
    bundle: Bundle,
    config: PipelineConfig | None = None,
) -> tuple[Recording, Recording]:
    live = record(samples, recognizer, bundle.front_end, config)
    return live, record_whole(samples, recognizer, bundle.front_end, config)


@pytest.mark.parametrize("name", ["open", "research", "accurate"])
def test_a_minute_gives_what_each_bundle_says_live(
    name: str, minute: FloatArray
) -> None:
    bundle = load_bundle(name)
    recognizer = OnnxRecognizer(bundle)
    samples = minute if name != "accurate" else minute[: 25 * SECOND]
    live, whole = both(samples, recognizer, bundle)

    assert live.emotions
    assert_same(live, whole)


@pytest.mark.parametrize("step_s", [0.1, 0.3, 0.5, 2.0])
@pytest.mark.parametrize("window_s", [None, 0.6])
def test_steps_and_windows_of_any_length_are_the_same(
    step_s: float,
    window_s: float | None,
    minute: FloatArray,
    bundle: Bundle,
    recognizer: OnnxRecognizer,
) -> None:
    config = PipelineConfig(step_s, window_s, smoothing=bundle.thresholds)

    assert_same(*both(minute[: 20 * SECOND], recognizer, bundle, config))


def test_a_long_step_of_a_network_that_hears_windows_whole_is_the_same(
    minute: FloatArray,
) -> None:
    bundle = load_bundle("accurate")
    config = PipelineConfig(1.0, 1.5)

    assert_same(*both(minute[: 12 * SECOND], OnnxRecognizer(bundle), bundle, config))


@pytest.mark.parametrize("length", [1, 199, 200, 1601, 7777, 29 * SECOND])
def test_it_does_not_matter_how_samples_are_cut(
    length: int, minute: FloatArray, bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    samples = minute[: 33 * SECOND] if length > 1000 else minute[: 2 * SECOND]
    pieces = (samples[i : i + length] for i in range(0, len(samples), length))
    live = record(samples, recognizer, bundle.front_end)

    assert_same(live, record_whole(pieces, recognizer, bundle.front_end))


@pytest.mark.parametrize("cut_s", [0.1, 0.37, 1.0, 7.3])
def test_it_does_not_matter_where_a_cut_ends(
    cut_s: float,
    minute: FloatArray,
    bundle: Bundle,
    recognizer: OnnxRecognizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = record(minute, recognizer, bundle.front_end)
    monkeypatch.setattr(
        "ser_stream.pipeline.batch.record.CUT_LENGTH", round(cut_s * SECOND)
    )

    assert_same(live, record_whole(minute, recognizer, bundle.front_end))


@pytest.mark.parametrize("cut_s", [1.0, 15.0])
def test_who_speaks_is_the_same(
    cut_s: float,
    minute: FloatArray,
    bundle: Bundle,
    recognizer: OnnxRecognizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "ser_stream.pipeline.batch.record.CUT_LENGTH", round(cut_s * SECOND)
    )
    config = PipelineConfig(smoothing=bundle.thresholds, most_speakers=4)
    voices = talk()[0]
    live, whole = both(voices, recognizer, bundle, config)
    assert set(whole.speakers) > {1}
    assert_same(live, whole)
    # Recordings that are scored together do not mix.
    each = list(
        record_each(
            [minute[: 20 * SECOND], voices, zeros(3)],
            recognizer,
            bundle.front_end,
            config,
        )
    )
    assert_same(whole, each[1])
    assert each[0].speakers[0] == 1
    assert each[2].speakers == []
    short = record_whole(voices, recognizer, bundle.front_end, config, kind=Summary)
    assert short.speakers == whole.speakers
    assert short.emotions == whole.emotions


def test_nothing_listens_to_voices_unless_that_is_asked_for(
    bundle: Bundle, recognizer: OnnxRecognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise AssertionError("the encoder of voices was loaded")

    monkeypatch.setattr("ser_stream.pipeline.voices.who_speaks.VoiceEncoder", fail)
    voices = talk()[0]
    assert record_whole(voices, recognizer, bundle.front_end).speakers == []
    config = PipelineConfig(most_speakers=2)
    with pytest.raises(AssertionError, match="voices was loaded"):
        record_whole(voices, recognizer, bundle.front_end, config)


def test_a_long_recording_is_taken_in_bounded_cuts() -> None:
    asked = 0

    def pieces() -> Iterator[FloatArray]:
        nonlocal asked
        for _ in range(2000):
            asked += 1
            yield zeros(0.2)

    found = cuts(pieces())
    first = next(found)

    assert len(first) == CUT_LENGTH
    assert asked == CUT_LENGTH / (0.2 * SECOND)
    assert sum(map(len, found)) + len(first) == 400 * SECOND


@pytest.mark.parametrize(
    "seconds", [0.0, 1 / SECOND, 0.0125, 0.1125, 0.4, 0.5124, 0.5125, 0.6, 0.7125, 0.8]
)
def test_very_short_recordings_are_the_same(
    seconds: float, clip: FloatArray, bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    live, whole = both(clip[: round(seconds * SECOND)], recognizer, bundle)

    assert live.short == (seconds < 0.5125)
    assert_same(live, whole)


def rooms(clip: FloatArray) -> dict[str, FloatArray]:
    """Recordings between whose words there is much, or little."""
    word = clip[4000:12_000]
    door = noise(0.05, -20, 3)
    return {
        "digital silence": zeros(8.0),
        "silence around": np.concatenate([zeros(5.0), clip, zeros(12.0), clip]),
        "a noisy room": np.concatenate([noise(6.0, -40), clip, noise(9.0, -40, 1)]),
        "loud noise": noise(12.0, -15),
        "dither": np.concatenate([noise(4.0, -95), clip, noise(4.0, -95, 1)]),
        "a constant": np.concatenate([zeros(2.0) + 0.5, clip + 0.2, zeros(2.0) + 0.5]),
        "doors": np.concatenate([np.tile(np.append(door, zeros(2.3)), 6), clip]),
        "words": np.concatenate([np.append(word, zeros(0.35 * i)) for i in range(9)]),
        "soft": np.concatenate([noise(3.0, -75), clip * 0.004, noise(5.0, -75, 1)]),
        "clipped": np.clip(np.concatenate([clip * 20, noise(2.0, -30), clip]), -1, 1),
        "a long pause": np.concatenate([clip, noise(1.1, -60), clip, zeros(1.3), clip]),
    }


ROOMS = list(rooms(np.zeros(12_000, np.float32)))


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_the_same(
    room: str, clip: FloatArray, bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    assert_same(*both(rooms(clip)[room].astype(np.float32), recognizer, bundle))


def test_other_thresholds_of_the_gate_are_the_same(
    minute: FloatArray, bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    config = PipelineConfig(
        gate=SpeechGateConfig(0.8, 0.2, 0.4, 0.2, -50.0, 12.0),
        smoothing=SmoothingConfig(0.5, 0.4, 0.1, 0.3, 0.1, 0.8, 0.5, 0.2),
    )

    assert_same(*both(minute[: 30 * SECOND], recognizer, bundle, config))


PARTS = st.one_of(
    st.tuples(st.just("clip"), st.integers(0, 5), st.floats(0.0, 1.0)),
    st.tuples(st.just("zeros"), st.floats(0.0, 3.0), st.just(0.0)),
    st.tuples(st.just("noise"), st.floats(0.0, 3.0), st.floats(-90.0, -10.0)),
)


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(PARTS, min_size=1, max_size=6), gain_db=st.floats(-50.0, 6.0))
def test_any_arrangement_of_speech_and_silence_is_the_same(
    parts: list[tuple[str, float, float]],
    gain_db: float,
    clips: dict[str, FloatArray],
    bundle: Bundle,
    recognizer: OnnxRecognizer,
) -> None:
    def made(kind: str, one: float, other: float) -> FloatArray:
        if kind == "clip":
            chosen = list(clips.values())[int(one)]
            return chosen[: round(other * len(chosen))]
        return zeros(one) if kind == "zeros" else noise(one, other)

    samples = np.concatenate([made(*part) for part in parts])
    samples = (samples * 10.0 ** (gain_db / 20.0)).astype(np.float32)

    assert_same(*both(samples, recognizer, bundle))


def test_many_recordings_are_each_what_they_are_alone(
    clips: dict[str, FloatArray],
    minute: FloatArray,
    bundle: Bundle,
    recognizer: OnnxRecognizer,
) -> None:
    some = list(clips.values())
    # More than are held at once, one longer than a cut, one of just that length.
    recordings = [*some * 5, zeros(0.1), minute, *some, minute[:CUT_LENGTH], zeros(0)]
    found = list(record_each(recordings, recognizer, bundle.front_end))

    assert len(found) == len(recordings)
    for samples, one in zip(recordings, found, strict=True):
        assert_same(record(samples, recognizer, bundle.front_end), one)


def test_what_is_known_of_a_speaker_and_was_taught_is_minded(
    minute: FloatArray, bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    assert recognizer.last_layer is not None
    shape = recognizer.last_layer.weight.shape
    rng = np.random.default_rng(1)
    taught = rng.normal(0, 0.05, shape).astype(np.float32)
    heard = 40.0 * (recognizer.last_layer.mean + rng.normal(0, 0.1, shape[1]))
    known = KnownVoice(heard.astype(np.float32), 40.0, taught)
    samples = minute[: 20 * SECOND]
    settings = PipelineConfig(step_s=0.2)
    pipeline = Pipeline(
        recognizer, bundle.front_end, settings, speaker=Speaker(0.2, known)
    )
    events = [*pipeline.feed(Chunk(0, samples)), *pipeline.flush()]
    live = [event for event in events if isinstance(event, Prediction)]
    whole = record_whole(
        samples, recognizer, bundle.front_end, settings, Speaker(0.2, known)
    )
    nobody = record_whole(samples, recognizer, bundle.front_end, settings)

    for p, q in zip(live, whole.predictions, strict=True):
        assert (p.scores is None) == (q.scores is None)
        if p.scores is not None and q.scores is not None:
            np.testing.assert_allclose(q.scores, p.scores, rtol=0, atol=1e-4)
    assert (
        max(
            abs(p.scores - q.scores).max()
            for p, q in zip(whole.predictions, nobody.predictions, strict=True)
            if p.scores is not None and q.scores is not None
        )
        > 0.01
    )


def test_a_summary_has_the_scores_and_emotions_of_the_whole(
    minute: FloatArray, bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    whole = record_whole(minute, recognizer, bundle.front_end)
    short = record_whole(minute, recognizer, bundle.front_end, kind=Summary)
    silent = record_whole(zeros(2.0), recognizer, bundle.front_end, kind=Summary)
    temperature = bundle.clip_temperature

    assert not short.predictions
    assert short.emotions == whole.emotions
    assert short.speech_s == whole.speech_s
    scores = whole.scores(temperature)
    assert scores is not None
    np.testing.assert_allclose(short.scores(temperature), scores, atol=1e-6)  # type: ignore[arg-type]
    assert silent.scores(temperature) is None


class _Plain:
    """A recognizer of somebody else's: no more than the protocol asks for."""

    def __init__(self, inside: OnnxRecognizer) -> None:
        self._inside = inside
        self.labels, self.geometry = inside.labels, inside.geometry

    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        return self._inside.encode(frames, state)

    def scores(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        return self._inside.scores(columns, speaker)


def test_any_recognizer_may_be_used(
    minute: FloatArray, bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    samples, plain = minute[: 10 * SECOND], _Plain(recognizer)

    assert_same(
        record(samples, recognizer, bundle.front_end),
        record_whole(samples, plain, bundle.front_end),
    )


def test_a_bundle_without_its_last_layer_goes_step_by_step(
    minute: FloatArray, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bundle, "features", property(lambda self: None))
    recognizer = OnnxRecognizer(bundle)
    live, whole = both(minute[: 10 * SECOND], recognizer, bundle)

    assert recognizer.window_features is None
    assert_same(live, whole)


def test_what_differs_is_found(
    clip: FloatArray, bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    live = record(clip, recognizer, bundle.front_end)
    other = record_whole(clip * 1.0, recognizer, bundle.front_end)
    spoken = next(i for i, p in enumerate(other.predictions) if p.scores is not None)
    moved = other.predictions[spoken]
    assert moved.scores is not None
    other.predictions[spoken] = replace(moved, scores=moved.scores + np.float32(2e-4))

    with pytest.raises(AssertionError):
        assert_same(live, other)
