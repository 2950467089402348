"""The window holds the columns since speech began, and asks for no frame twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_stream.pipeline.values import EncoderState, FloatArray
from ser_stream.pipeline.window import ColumnWindow


def frames(first: int, end: int) -> FloatArray:
    """Frames whose every value is their own index."""
    numbers = np.arange(first, end, dtype=np.float32)[:, None]
    return np.repeat(numbers, 39, axis=1)


def encode(
    pending: FloatArray, state: EncoderState | None
) -> tuple[FloatArray, EncoderState]:
    """Columns (n, 6, 64) that hold the first and last frame they were made from.

    What it keeps between calls is the last 30 frames.
    """
    if state is None:
        frames = pending[4:]
    else:
        assert np.array_equal(pending[:2], state[0][-2:])
        frames = np.concatenate([state[0], pending[2:]])
    n = (len(frames) - 30) // 8
    assert n > 0
    assert len(frames) == 8 * n + 30
    columns = np.zeros((n, 6, 64), np.float32)
    for k in range(n):
        seen = frames[8 * k : 8 * k + 38, 0]
        assert np.array_equal(seen, np.arange(seen[0], seen[0] + 38))
        columns[k, 0, :2] = seen[0], seen[-1]
    return columns, (frames[-30:].copy(),)


def push(window: ColumnWindow, first_block: int, end_block: int) -> None:
    """The frames of blocks on the grid, as `Mfcc` gives them from sample 0 on."""
    for index in range(first_block, end_block):
        first = max(0, 8 * index - 10)
        if 8 * index - 2 > first:
            window.push(first, frames(first, 8 * index - 2))


def update(window: ColumnWindow) -> int:
    """Encode what is pending; return how many columns that was."""
    pending = window.pending()
    if pending is None:
        return 0
    columns, state = encode(pending.copy(), window.state)
    window.add(columns, state)
    return len(columns)


def first_frames(window: ColumnWindow) -> list[int]:
    return [int(column[0, 0]) for column in window.columns]


def test_column_k_is_made_from_frames_8k_to_8k_plus_37_and_nothing_else() -> None:
    window = ColumnWindow()
    push(window, 0, 12)
    window.begin(0)
    update(window)
    spans = [(int(a), int(b)) for a, b in window.columns[:, 0, :2]]
    assert spans == [(8 * k, 8 * k + 37) for k in range(7)]
    assert window.newest == 6


def test_the_first_column_is_complete_at_sample_8200() -> None:
    window = ColumnWindow()
    push(window, 0, 5)
    window.begin(0)
    assert window.pending() is None
    push(window, 5, 6)  # block 5 ends at sample 8200
    assert update(window) == 1
    assert window.start == 0


def test_before_any_frame_there_is_nothing_to_encode() -> None:
    window = ColumnWindow()
    assert window.newest == -1
    assert [window.started, window.pending()] == [False, None]
    window.begin(0)
    assert [window.started, window.pending()] == [True, None]
    assert len(window.columns) == 0


def test_without_speech_nothing_is_asked_for() -> None:
    window = ColumnWindow()
    push(window, 0, 40)
    assert window.pending() is None


@pytest.mark.parametrize(
    ("start", "column"), [(0, 0), (1, 1), (1600, 1), (12_345, 8), (12_800, 8)]
)
def test_no_column_begins_before_the_beginning_of_the_window(
    start: int, column: int
) -> None:
    window = ColumnWindow()
    push(window, 0, 30)
    window.begin(start)
    update(window)
    assert window.start == 1600 * column
    assert first_frames(window)[0] == 8 * column


def test_each_column_is_encoded_once() -> None:
    window = ColumnWindow()
    push(window, 0, 10)
    window.begin(0)
    assert update(window) == 5
    assert update(window) == 0
    push(window, 10, 12)
    pending = window.pending()
    assert pending is not None
    assert len(pending) == 2 * 8 + 2  # Two old frames and the new ones, no more.
    assert update(window) == 2
    assert first_frames(window) == [8 * k for k in range(7)]


def test_at_most_25_columns_are_kept_and_the_oldest_go() -> None:
    window = ColumnWindow()
    window.begin(0)
    for block in range(0, 60, 2):
        push(window, block, block + 2)
        update(window)
        assert len(window.columns) <= 25
    assert first_frames(window) == [8 * k for k in range(30, 55)]
    assert window.start == 1600 * 30


def test_a_window_may_be_shorter() -> None:
    window = ColumnWindow(max_columns=3)
    window.begin(0)
    for block in range(20):
        push(window, block, block + 1)
        update(window)
    assert first_frames(window) == [8 * 12, 8 * 13, 8 * 14]


def test_a_step_longer_than_the_window_skips_what_it_cannot_see() -> None:
    window = ColumnWindow(max_columns=3)
    push(window, 0, 8)
    window.begin(0)
    assert update(window) == 3
    push(window, 8, 30)
    assert update(window) == 3
    assert first_frames(window) == [8 * 22, 8 * 23, 8 * 24]
    assert window.start == 1600 * 22


def test_a_pause_clears_the_columns_and_keeps_the_frames() -> None:
    window = ColumnWindow()
    push(window, 0, 20)
    window.begin(0)
    update(window)
    window.clear()
    assert not window.started
    assert window.pending() is None
    # A new window begins with an encoder that remembers nothing.
    assert window.state is None
    window.begin(12_000)
    assert update(window) == 7
    assert first_frames(window) == [8 * k for k in range(8, 15)]


def test_after_a_gap_no_column_reaches_back_over_it() -> None:
    window = ColumnWindow()
    push(window, 0, 20)
    window.begin(0)
    update(window)
    window.reset()
    # The stream goes on at sample 100 123; frame 501 is the first that is whole.
    window.push(501, frames(501, 502))
    for first in range(502, 590, 8):
        window.push(first, frames(first, first + 8))
    window.begin(0)
    update(window)
    assert first_frames(window) == [504, 512, 520, 528, 536, 544, 552]


def test_frames_older_than_the_longest_window_are_forgotten() -> None:
    window = ColumnWindow()
    push(window, 0, 200)
    window.begin(0)
    assert update(window) == 25
    assert first_frames(window)[-1] == 8 * 194


@settings(max_examples=50)
@given(
    steps=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    start=st.integers(0, 40_000),
    most=st.integers(1, 25),
)
def test_columns_are_always_neighbours_and_end_with_the_newest(
    steps: list[int], start: int, most: int
) -> None:
    window = ColumnWindow(max_columns=most)
    window.begin(start)
    block = 0
    for step in steps:
        push(window, block, block + step)
        block += step
        update(window)
        columns = first_frames(window)
        assert len(columns) <= most
        # `encode` checks that a column was made from 38 neighbouring frames.
        assert columns == [8 * k for k in range(window.start // 1600, block - 5)]
        if columns:
            assert window.start >= start
