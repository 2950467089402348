"""Between callback and reader nothing is invented, and what is lost is counted."""

import threading
import time

import numpy as np

from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.ring import Ring, RingStatistics


def ramp(begin: int, n: int, channels: int = 1) -> FloatArray:
    """Frames that hold their own index."""
    column = np.arange(begin, begin + n, dtype=np.float32)[:, None]
    return np.repeat(column, channels, axis=1)


def test_what_is_written_is_read_in_order_with_the_time_of_its_last_sample() -> None:
    ring = Ring(100, maximum=50)
    ring.write(ramp(0, 10, 2), 1.0)
    ring.write(ramp(10, 10, 2), 2.0)
    piece = ring.read(0.0)
    assert piece is not None
    assert piece.start == 0
    assert piece.arrived == 2.0
    np.testing.assert_array_equal(piece.samples, ramp(0, 20, 2))
    assert ring.read(0.0) is None
    assert ring.statistics() == RingStatistics(0, 0)


def test_a_backlog_comes_in_pieces_of_the_maximum() -> None:
    ring = Ring(100, maximum=15)
    for k in range(4):
        ring.write(ramp(10 * k, 10), float(k))
    pieces = [ring.read(0.0) for _ in range(3)]
    got = [(p.start, len(p.samples), p.arrived) for p in pieces if p is not None]
    assert got == [(0, 15, 1.0), (15, 15, 2.0), (30, 10, 3.0)]


def test_a_late_reader_finds_the_older_half_overwritten_and_the_index_moved_on() -> (
    None
):
    ring = Ring(100, maximum=1000)
    for k in range(13):
        ring.write(ramp(10 * k, 10), float(k))
    piece = ring.read(0.0)
    assert piece is not None
    assert piece.start == 60
    np.testing.assert_array_equal(piece.samples, ramp(60, 70))
    assert ring.statistics() == RingStatistics(overwritten=60, overflows=0)


def test_a_piece_that_was_read_in_part_is_overwritten_in_its_rest_only() -> None:
    ring = Ring(20, maximum=5)
    ring.write(ramp(0, 10), 0.0)
    ring.read(0.0)
    ring.write(ramp(10, 18), 0.0)
    assert ring.statistics().overwritten == 5
    piece = ring.read(0.0)
    assert piece is not None
    assert piece.start == 10


def test_a_write_longer_than_the_ring_leaves_its_end() -> None:
    ring = Ring(100, maximum=1000)
    ring.write(ramp(0, 10), 0.0)
    ring.write(ramp(10, 250), 1.0)
    piece = ring.read(0.0)
    assert piece is not None
    assert piece.start == 160
    np.testing.assert_array_equal(piece.samples, ramp(160, 100))
    assert ring.statistics().overwritten == 160


def test_a_piece_ends_where_the_device_lost_frames() -> None:
    ring = Ring(100, maximum=1000)
    ring.write(ramp(0, 10), 0.0)
    ring.note_gap(7)
    ring.write(ramp(17, 10), 1.0)
    first, second = ring.read(0.0), ring.read(0.0)
    assert first is not None
    assert second is not None
    assert (first.start, len(first.samples)) == (0, 10)
    assert (second.start, second.samples[0, 0]) == (17, 17)
    assert ring.index == 27
    assert ring.statistics() == RingStatistics(overwritten=0, overflows=1)


def test_a_reader_that_skips_gets_what_came_last_and_knows_how_much_is_gone() -> None:
    ring = Ring(100, maximum=1000)
    assert ring.skip_to_newest() == 0
    for k in range(5):
        ring.write(ramp(10 * k, 10), float(k))
    assert ring.skip_to_newest() == 40
    piece = ring.read(0.0)
    assert piece is not None
    assert (piece.start, len(piece.samples), piece.arrived) == (40, 10, 4.0)
    assert ring.statistics() == RingStatistics(overwritten=0, overflows=0)


def test_whatever_the_order_of_calls_a_frame_holds_its_own_index(
    rng: np.random.Generator,
) -> None:
    ring = Ring(97, maximum=40)
    read = lost = 0
    for _ in range(3000):
        match rng.integers(9):
            case 0:
                n = int(rng.integers(1, 9))
                ring.note_gap(n)
                lost += n
            case 1 | 2 | 3:
                piece = ring.read(0.0)
                if piece is not None:
                    expected = ramp(piece.start, len(piece.samples))
                    np.testing.assert_array_equal(piece.samples, expected)
                    read += len(piece.samples)
            case 4:
                if not rng.integers(20):
                    lost += ring.skip_to_newest()
            case _:
                ring.write(ramp(ring.index, int(rng.integers(0, 120))), 0.0)
    while (piece := ring.read(0.0)) is not None:
        read += len(piece.samples)
    assert ring.statistics().overwritten > 0
    assert read + lost + ring.statistics().overwritten == ring.index


def test_a_waiting_reader_wakes_as_soon_as_something_comes() -> None:
    ring = Ring(100, maximum=100)
    writer = threading.Timer(0.05, lambda: ring.write(ramp(0, 10), time.monotonic()))
    writer.start()
    piece = ring.read(300.0)
    assert piece is not None
    assert time.monotonic() - piece.arrived < 60
    writer.join()


def test_a_reader_that_waits_for_more_gets_it_or_what_there_is_in_time() -> None:
    ring = Ring(100, maximum=100)
    ring.write(ramp(0, 10), 0.0)
    writer = threading.Timer(0.05, lambda: ring.write(ramp(10, 10), 1.0))
    writer.start()
    piece = ring.read(300.0, 20)
    assert piece is not None
    assert (len(piece.samples), piece.arrived) == (20, 1.0)
    writer.join()
    ring.write(ramp(20, 5), 2.0)
    piece = ring.read(0.01, 20)
    assert piece is not None
    assert len(piece.samples) == 5


def test_a_reader_and_a_writer_at_full_speed_lose_nothing_uncounted() -> None:
    ring = Ring(5000, maximum=1000)
    n = 2000

    def write() -> None:
        for _ in range(n):
            ring.write(ramp(ring.index, 100), 0.0)

    writer = threading.Thread(target=write)
    writer.start()
    read = 0
    while read + ring.statistics().overwritten < 100 * n:
        piece = ring.read(1.0)
        assert piece is not None
        assert piece.samples[0, 0] == piece.start
        assert piece.samples[-1, 0] == piece.start + len(piece.samples) - 1
        read += len(piece.samples)
    writer.join()
