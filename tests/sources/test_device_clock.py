"""Frames that a device lost are noticed, flagged or not; mere lateness is no loss."""

from collections.abc import Iterable

from ser_stream.sources.device_clock import DeviceClock

RATE = 48_000
N = 960


def losses(callbacks: Iterable[tuple[float, bool]]) -> list[int]:
    """What the clock says at callbacks of 20 ms: when each came, and its flag."""
    clock = DeviceClock(RATE)
    index = 0
    found = []
    for now, overflow in callbacks:
        lost = clock.lost(index, N, now, overflow)
        index += lost + N
        found.append(lost)
    return found


def test_irregular_callbacks_lose_nothing() -> None:
    jitter = [0.0, 0.015, -0.005, 0.08, 0.0, 0.2, 0.01]
    times = [(0.02 * k + jitter[k % 7], False) for k in range(500)]
    assert set(losses(times)) == {0}


def test_a_clock_that_drifts_loses_nothing() -> None:
    assert set(losses((0.02002 * k, False) for k in range(20_000))) == {0}


def test_a_process_that_was_stopped_and_got_everything_later_lost_nothing() -> None:
    # 2 s: the server kept them, and delivers them in a burst.
    times = [0.02 * k for k in range(50)]
    times += [3.0 + 0.0004 * k for k in range(100)]
    times += [3.04 + 0.02 * k for k in range(50)]
    assert set(losses((now, False) for now in times)) == {0}


def test_frames_that_a_server_dropped_in_silence_are_found_after_the_burst() -> None:
    # As measured: stopped for 45 s, the server kept 24.6 s, and raised no flag.
    times = [0.02 * k for k in range(50)]
    times += [46.0 + 0.0004 * k for k in range(1230)]
    times += [46.5 + 0.02 * k for k in range(50)]
    found = losses((now, False) for now in times)
    assert sum(lost > 0 for lost in found) == 1
    assert abs(sum(found) / RATE - (46.5 - 1.0 - 24.6)) < 0.1


def test_half_a_second_that_is_missing_without_a_pause_or_a_flag_is_found() -> None:
    # A sound server that moves a stream, or had no time, drops some of it.
    times = [0.02 * k for k in range(100)]
    times += [2.5 + 0.02 * k for k in range(100)]
    found = losses((now, False) for now in times)
    assert sum(lost > 0 for lost in found) == 1
    assert abs(sum(found) / RATE - 0.5) < 0.05


def test_small_losses_are_found_when_they_have_added_up() -> None:
    times = [0.02 * k + 0.1 * (k // 100) for k in range(1000)]
    found = losses((now, False) for now in times)
    assert abs(sum(found) / RATE - 0.9) < 0.3


def test_a_burst_that_takes_long_to_come_in_is_no_loss() -> None:
    # 10 s were kept, and we are so busy that they take 2 s.
    times = [0.02 * k for k in range(50)]
    times += [11.0 + 0.004 * k for k in range(500)]
    times += [13.0 + 0.0004 * k for k in range(100)]
    times += [13.04 + 0.02 * k for k in range(100)]
    assert set(losses((now, False) for now in times)) == {0}


def test_an_overflow_costs_the_time_that_passed() -> None:
    times = [(0.0, False), (0.02, False), (0.54, True), (0.56, False)]
    assert losses(times) == [0, 0, round(0.5 * RATE), 0]


def test_an_overflow_costs_one_callback_at_least() -> None:
    assert losses([(0.0, False), (0.02, False), (0.04, True)]) == [0, 0, N]


def test_an_overflow_before_the_first_frame_is_nothing_lost() -> None:
    assert losses([(0.0, True), (0.02, False)]) == [0, 0]


def test_a_machine_that_slept_recorded_nothing_meanwhile() -> None:
    times = [0.02 * k for k in range(50)]
    times += [3601.0 + 0.02 * k for k in range(50)]
    found = losses((now, False) for now in times)
    assert sum(lost > 0 for lost in found) == 1
    assert abs(sum(found) / RATE - 3600.0) < 0.1


def test_where_the_first_frame_belongs_is_known_also_right_after_a_sleep() -> None:
    clock = DeviceClock(RATE)
    clock.lost(0, N, 10.02, False)
    assert abs(clock.began - 10.0) < 1e-6
    # What was recorded before the sleep comes after it; then the device is gone.
    clock.lost(N, N, 3610.0, False)
    assert abs(clock.began - 10.0) < 1e-6
