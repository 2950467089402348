"""Normalisation is causal and takes the microphone's gain out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream.errors import ConfigError
from ser_stream.pipeline.mfcc import mfcc_of_frames
from ser_stream.pipeline.normalise import C0_PER_DB, NormaliseConfig, Normaliser
from ser_stream.pipeline.values import FloatArray

FLOOR = C0_PER_DB * (-70.0 + 12.0)


def frames_with_c0(*c0: float) -> FloatArray:
    frames = np.ones((len(c0), 39), np.float32)
    frames[:, 0] = c0
    return frames


def normalise(frames: FloatArray, **settings: float) -> FloatArray:
    normaliser = Normaliser(NormaliseConfig("peak", **settings))
    blocks = [normaliser.feed(frames[i : i + 8]) for i in range(0, len(frames), 8)]
    return np.concatenate(blocks)


def clip_frames(clip: FloatArray) -> FloatArray:
    windows = np.lib.stride_tricks.sliding_window_view(clip, 800)[::200]
    return mfcc_of_frames(windows)


def test_peak_takes_the_loudest_c0_so_far_from_c0_alone() -> None:
    result = Normaliser().feed(frames_with_c0(10.0, 50.0, 30.0))
    assert np.array_equal(result[:, 0], np.array([-40.0, 0.0, -20.0], np.float32))
    assert np.array_equal(result[:, 1:], np.ones((3, 38), np.float32))


def test_the_frames_that_were_fed_stay_as_they_were() -> None:
    frames = frames_with_c0(10.0, 50.0)
    Normaliser().feed(frames)
    assert np.array_equal(frames, frames_with_c0(10.0, 50.0))


@pytest.mark.parametrize("gain_db", [-30.0, -6.0, 20.0])
def test_the_gain_of_the_microphone_makes_no_difference(
    gain_db: float, clip: FloatArray
) -> None:
    gain = np.float32(10 ** (gain_db / 20))
    plain, other = clip_frames(clip), clip_frames(clip * gain)
    assert np.abs(other - plain).max() > 50.0
    # Until the first word the floor stands for the level; then the voice does.
    assert np.allclose(normalise(plain)[64:], normalise(other)[64:], atol=1e-3)


def test_nothing_looks_ahead(clip: FloatArray) -> None:
    frames = clip_frames(clip)
    changed = frames.copy()
    changed[40:, 0] += 500.0
    a, b = normalise(frames), normalise(changed)
    assert np.array_equal(a[:40], b[:40])
    assert not np.array_equal(a[40:], b[40:])


def test_a_shout_is_forgotten_at_the_rate_of_the_leak() -> None:
    normaliser = Normaliser(NormaliseConfig("peak", leak_db_per_s=2.0))
    normaliser.feed(frames_with_c0(1000.0))
    for _ in range(9):
        normaliser.feed(frames_with_c0(*[0.0] * 8))
    # Ten blocks are one second: 2 dB on each of 128 bands.
    result = normaliser.feed(frames_with_c0(*[0.0] * 8))
    assert np.allclose(result[:, 0], -(1000.0 - 2.0 * np.sqrt(128.0)), atol=1e-2)


def test_the_maximum_never_falls_below_the_floor() -> None:
    normaliser = Normaliser()
    for _ in range(50):
        result = normaliser.feed(frames_with_c0(*[-1500.0] * 8))
    assert np.allclose(result[:, 0], -1500.0 - FLOOR, atol=1e-3)


def test_white_noise_at_the_floor_reads_about_zero() -> None:
    noise = np.random.default_rng(1).standard_normal(160_000) * 10 ** (-70 / 20)
    c0 = clip_frames(noise.astype(np.float32))[:, 0]
    assert abs(float(c0.mean()) - FLOOR) < 3.0 * C0_PER_DB


def test_a_reset_forgets_the_level_and_may_warm_up_to_another() -> None:
    normaliser = Normaliser()
    normaliser.feed(frames_with_c0(1000.0))
    normaliser.reset()
    assert float(normaliser.feed(frames_with_c0(0.0))[0, 0]) == 0.0
    normaliser.reset(peak=800.0)
    expected = -(800.0 - 0.1 * np.sqrt(128.0))
    assert np.isclose(normaliser.feed(frames_with_c0(0.0))[0, 0], expected, atol=1e-2)
    normaliser.reset(peak=-5000.0)
    assert np.isclose(
        normaliser.feed(frames_with_c0(-1500.0))[0, 0], -1500.0 - FLOOR, atol=1e-2
    )


def test_no_frames_leave_the_level_as_it_was() -> None:
    normaliser = Normaliser()
    normaliser.feed(frames_with_c0(1000.0))
    assert normaliser.feed(np.zeros((0, 39), np.float32)).shape == (0, 39)
    result = normaliser.feed(frames_with_c0(1000.0))
    assert float(result[0, 0]) == 0.0


@given(c0=st.lists(st.floats(-1500, 1500, width=32), min_size=1, max_size=8))
def test_fixed_leaves_frames_alone(c0: list[float]) -> None:
    frames = frames_with_c0(*c0)
    result = Normaliser(NormaliseConfig("fixed")).feed(frames)
    assert np.array_equal(result, frames)


@given(c0=st.lists(st.floats(-1500, 1500, width=32), min_size=1, max_size=80))
def test_normalised_c0_is_never_above_zero(c0: list[float]) -> None:
    assert normalise(frames_with_c0(*c0))[:, 0].max() <= 1e-3


def test_an_unknown_kind_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ConfigError, match="'median' is unknown; allowed: fixed, peak"):
        NormaliseConfig("median")  # type: ignore[arg-type]
