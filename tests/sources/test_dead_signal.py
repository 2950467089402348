"""Only zeros are no sound at all, and are not taken for a quiet room."""

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.sources.dead_signal import DeadSignal

SECOND = np.zeros(SAMPLE_RATE, np.float32)


def test_a_dead_device_is_woken_after_30_s_and_then_less_and_less_often() -> None:
    watch = DeadSignal()
    woken = [second for second in range(1, 3000) if watch.feed(SECOND)]
    assert woken[:5] == [30, 60, 120, 240, 480]
    assert woken[-1] - woken[-2] == 600
    assert watch.seconds == 2999


def test_one_sample_that_is_not_zero_is_a_sign_of_life() -> None:
    watch = DeadSignal()
    alive = SECOND.copy()
    alive[77] = 1e-7
    for _ in range(29):
        assert not watch.feed(SECOND)
    assert not watch.feed(alive)
    assert watch.seconds == 0
    assert [watch.feed(SECOND) for _ in range(30)] == [False] * 29 + [True]
