"""The detector's own gain: bounded, slow upwards, and never louder than its target."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ser_stream.pipeline.detector_gain import (
    LEAK_DB,
    MAX_GAIN_DB,
    NOISE_DBFS,
    TARGET_DBFS,
    DetectorGain,
)

LEVELS = st.lists(st.floats(-120.0, 3.0), min_size=1, max_size=60)


def gains(levels: list[float], floor: float = -120.0) -> list[float]:
    gain = DetectorGain()
    return [gain.feed(level, min(level, floor)) for level in levels]


@given(levels=LEVELS, floor=st.floats(-120.0, 0.0))
def test_the_gain_is_bounded_and_lifts_neither_sound_nor_noise_above_its_limit(
    levels: list[float], floor: float
) -> None:
    for level, gain_db in zip(levels, gains(levels, floor), strict=True):
        assert 0.0 <= gain_db <= MAX_GAIN_DB
        assert gain_db == 0.0 or level + gain_db <= TARGET_DBFS + 1e-9
        assert gain_db == 0.0 or min(level, floor) + gain_db <= NOISE_DBFS + 1e-9


@given(levels=LEVELS)
def test_the_gain_rises_by_a_decibel_a_second_at_most(levels: list[float]) -> None:
    assert all(b - a <= LEAK_DB + 1e-9 for a, b in pairwise(gains(levels)))


@given(levels=LEVELS, more=LEVELS)
def test_what_comes_later_changes_no_gain(
    levels: list[float], more: list[float]
) -> None:
    assert gains(levels + more)[: len(levels)] == gains(levels)


def test_a_voice_near_the_microphone_is_heard_as_it_is() -> None:
    assert gains([-30.0, -20.0, -40.0]) == [0.0, 0.0, 0.0]


def test_a_soft_voice_is_raised_to_the_target_at_once() -> None:
    assert gains([-95.0, -75.0]) == [40.0, 30.0]


def test_an_idle_room_is_raised_only_a_little() -> None:
    assert gains([-62.0] * 600, floor=-62.0)[-1] == 2.0


def test_a_loud_sound_lowers_the_gain_at_once_and_is_forgotten_slowly() -> None:
    heard = gains([-75.0, -5.0] + [-75.0] * 600)
    assert heard[0] == 30.0
    assert heard[1:101] == [0.0] * 100
    assert 0.0 < heard[450] < 30.0
    assert heard[-1] > 19.0


def test_reset_forgets_the_loud_sound() -> None:
    gain = DetectorGain()
    gain.feed(-5.0, -90.0)
    gain.reset()
    assert gain.feed(-75.0, -90.0) == 30.0
