"""The pitchogram: where its peak lies, and what does not move it."""

import numpy as np
import pytest

from ser_stream.errors import ModelError
from ser_stream.pipeline.front_end import FrontEnd, FrontEndConfig, frames_of
from ser_stream.pipeline.mfcc import MfccConfig, power_spectrum
from ser_stream.pipeline.pitch import PitchConfig, pitchogram
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

MFCC, PITCH = MfccConfig(), PitchConfig()
LAGS_HZ = np.geomspace(PITCH.highest_hz, PITCH.lowest_hz, PITCH.n_lags)


def pitch_of(samples: FloatArray) -> FloatArray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, 800)[::200]
    return pitchogram(power_spectrum(frames, MFCC), PITCH, MFCC)


def voice(hertz: float, seconds: float = 0.5) -> FloatArray:
    """Harmonics that fall by 6 dB an octave, as a voice's do."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    partials = [np.sin(2 * np.pi * k * hertz * t) / k for k in range(1, 20)]
    result: FloatArray = (0.1 * np.sum(partials, axis=0)).astype(np.float32)
    return result


@pytest.mark.parametrize("hertz", [75.0, 110.0, 180.0, 260.0, 400.0])
def test_the_first_high_peak_is_the_pitch(hertz: float) -> None:
    for row in pitch_of(voice(hertz)):
        assert row.max() > 0.8
        # Two periods are as periodic as one: the shortest lag of the good ones counts.
        good = np.flatnonzero(row > 0.85 * row.max())
        first = good[: np.flatnonzero(np.diff(good, append=99) > 1)[0] + 1]
        best = LAGS_HZ[first[row[first].argmax()]]
        assert abs(np.log2(best / hertz)) < 0.06


def test_neither_level_nor_a_constant_moves_it() -> None:
    clean = pitch_of(voice(150.0))
    assert np.abs(pitch_of(voice(150.0) * np.float32(1e-3)) - clean).max() < 1e-4
    assert np.abs(pitch_of(voice(150.0) + np.float32(0.3)) - clean).max() < 0.02


def test_noise_has_no_period_and_silence_gives_zeros(
    rng: np.random.Generator,
) -> None:
    noise = rng.standard_normal(16_000).astype(np.float32)
    assert np.abs(pitch_of(noise)).mean() < 0.15
    assert not pitch_of(np.zeros(16_000, np.float32)).any()


def test_an_octave_is_a_shift() -> None:
    per_octave = 38 / np.log2(PITCH.highest_hz / PITCH.lowest_hz)
    low, high = pitch_of(voice(110.0)).mean(0), pitch_of(voice(220.0)).mean(0)
    shift = round(per_octave)
    assert np.abs(low[shift:] - high[:-shift]).mean() < 0.1


def test_the_front_end_puts_it_behind_the_same_mfccs(clip: FloatArray) -> None:
    with_pitch = frames_of(clip, FrontEndConfig(pitch=PITCH))
    assert with_pitch.shape[1] == FrontEndConfig(pitch=PITCH).n_features == 78
    assert np.array_equal(with_pitch[:, :39], frames_of(clip, FrontEndConfig()))
    assert with_pitch[:, 39:].max() > 0.8


def test_a_front_end_without_it_hashes_as_before_there_was_one() -> None:
    plain = FrontEndConfig()
    assert plain.hash == (
        "14fbe05f566e6c33eaf6602772857ca0a6d72e8335e9c50de30af479bd866930"
    )
    both = FrontEndConfig(pitch=PITCH)
    assert both.hash != plain.hash
    assert FrontEndConfig.from_dict(both.to_dict()) == both
    assert FrontEndConfig.from_dict(plain.to_dict()) == plain
    assert FrontEnd(both).mfcc is not None


def test_other_lags_are_refused() -> None:
    values = FrontEndConfig(pitch=PITCH).to_dict()
    values["pitch"]["n_lags"] = 20
    with pytest.raises(ModelError, match="another front end: pitch is"):
        FrontEndConfig.from_dict(values)
