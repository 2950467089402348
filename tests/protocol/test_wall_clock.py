"""`time` stays right for a year, though a sound card's clock is not the computer's."""

import time

import numpy as np
import pytest

from ser_stream.pipeline.values import SAMPLE_RATE, Chunk
from ser_stream.protocol.wall_clock import LOOK_BACK_S, WallClock

pytestmark = pytest.mark.usefixtures("clock")


def chunk(end: int, arrived: float) -> Chunk:
    n = SAMPLE_RATE // 10
    return Chunk(end - n, np.zeros(n, np.float32), arrived)


def test_the_first_chunk_tells_when_sample_zero_was_spoken() -> None:
    clock = WallClock()
    clock.begin(chunk(8000, time.monotonic() - 0.2))
    assert abs(clock.utc(8000).timestamp() - (time.time() - 0.2)) < 0.05


def test_a_card_that_runs_slow_is_followed_and_delays_are_not() -> None:
    clock, now = WallClock(), time.monotonic()
    clock.begin(chunk(1600, now))
    rng = np.random.default_rng(3)
    # A card that delivers 1 % too few samples, and chunks up to 0.5 s late.
    seconds = np.arange(1, 3000) / 10
    for second in seconds:
        end = round(second * 0.99 * SAMPLE_RATE)
        late = rng.uniform(0.0, 0.5)
        clock.follow(chunk(end, now - seconds[-1] + second + late))
    spoken = clock.utc(round(seconds[-1] * 0.99 * SAMPLE_RATE)).timestamp()
    # It may lag by what the card loses while the earliest chunk is looked for.
    assert abs(spoken - time.time()) < 2 * 0.01 * LOOK_BACK_S + 0.05


def test_one_late_chunk_does_not_move_the_clock() -> None:
    clock, now = WallClock(), time.monotonic()
    clock.begin(chunk(1600, now))
    before = clock.t0
    for k in range(2, 400):
        late = 2.0 if k == 57 else 0.0
        clock.follow(chunk(1600 * k, now + 0.1 * (k - 1) + late))
    assert abs((clock.t0 - before).total_seconds()) < 0.02
