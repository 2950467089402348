"""One time line: a gap is as long as the time that passed, and nothing goes back."""

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, Chunk
from ser_stream.sources.audio_clock import AudioClock


def hear(clock: AudioClock, began: float, seconds: float) -> tuple[float, float]:
    """Record for a while, then close; where on the time line that was, seconds."""
    n = round(seconds * SAMPLE_RATE)
    chunk = clock.place(Chunk(0, np.zeros(n, np.float32)), began)
    clock.leave(began)
    return chunk.start / SAMPLE_RATE, chunk.end / SAMPLE_RATE


def test_the_first_opening_begins_at_0_and_the_next_after_what_passed() -> None:
    clock = AudioClock()
    assert hear(clock, 1000.0, 10.0) == (0.0, 10.0)
    assert hear(clock, 1040.0, 5.0) == (40.0, 45.0)


def test_chunks_of_one_opening_keep_their_distance_whatever_the_clock_says() -> None:
    clock = AudioClock()
    hear(clock, 1000.0, 1.0)
    first = clock.place(Chunk(0, np.zeros(1600, np.float32)), 1002.0)
    second = clock.place(Chunk(4000, np.zeros(1600, np.float32)), 1002.4)
    assert second.start - first.start == 4000


def test_errors_of_measuring_do_not_add_up() -> None:
    clock = AudioClock()
    hear(clock, 0.0, 1.0)
    began = 0.0
    for number in range(1, 101):
        # Each first callback comes 20 ms late, which the last ones show.
        began = 3.0 * number
        chunk = clock.place(Chunk(0, np.zeros(SAMPLE_RATE, np.float32)), began + 0.02)
        clock.leave(began)
    assert abs(chunk.start / SAMPLE_RATE - began) < 0.05


def test_a_device_that_ran_fast_for_a_month_hides_no_loss() -> None:
    clock = AudioClock()
    month, ahead = 30 * 86_400.0, 130.0
    clock.place(Chunk(0, np.zeros(0, np.float32)), 0.0)
    clock.place(
        Chunk(round((month + ahead) * SAMPLE_RATE), np.zeros(0, np.float32)), -ahead
    )
    clock.leave(-ahead)
    start, _ = hear(clock, month + 60.0, 1.0)
    assert abs(start - (month + ahead + 60.0)) <= 0.25


def test_even_the_shortest_absence_is_a_gap() -> None:
    clock = AudioClock()
    hear(clock, 1000.0, 10.0)
    start, _ = hear(clock, 1009.9, 1.0)
    assert start > 10.0


def test_openings_lie_in_the_blocks_as_asked() -> None:
    clock, n, before = AudioClock(ahead=750), SAMPLE_RATE, 0
    # The later ones begin anywhere, also at once.
    for began in (1000.0, 1001.0, 1004.003, 1009.17, 1010.18, 1100.0):
        chunk = clock.place(Chunk(0, np.zeros(n, np.float32)), began)
        clock.leave(began)
        assert (chunk.end - n) % 1600 == -750 % 1600
        assert len(chunk.samples) == (n if chunk.start else n - 750)
        assert chunk.start > before or not before
        assert abs(chunk.end / SAMPLE_RATE - (began - 999.0)) < 0.16
        before = chunk.end
