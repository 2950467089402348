"""Chunks of any length become blocks on an absolute grid."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream.pipeline.blocks import BLOCK_LENGTH, Blocker
from ser_stream.pipeline.values import Block, Chunk, FloatArray, Gap

CUTS = st.lists(st.integers(0, 9000), max_size=12)


def ramp(n: int, start: int = 1) -> FloatArray:
    """Samples that name their own place, so that no two are alike."""
    return np.arange(start, start + n, dtype=np.float32)


def cut(samples: FloatArray, cuts: list[int], start: int = 0) -> list[Chunk]:
    """Chunks of `samples`, cut at the places `cuts`, also into empty ones."""
    edges = [0, *sorted(min(c, len(samples)) for c in cuts), len(samples)]
    return [Chunk(start + a, samples[a:b]) for a, b in pairwise(edges)]


def feed_all(blocker: Blocker, chunks: list[Chunk]) -> list[Block | Gap]:
    return [item for chunk in chunks for item in blocker.feed(chunk)]


def blocks_of(items: list[Block | Gap]) -> list[Block]:
    return [item for item in items if isinstance(item, Block)]


@given(cuts=CUTS, start=st.integers(0, 5000))
def test_any_chunking_gives_the_same_blocks(cuts: list[int], start: int) -> None:
    samples = ramp(9000)
    whole = blocks_of(feed_all(Blocker(), [Chunk(start, samples)]))
    pieces = blocks_of(feed_all(Blocker(), cut(samples, cuts, start)))
    assert [(b.index, b.valid_from, b.first) for b in pieces] == [
        (b.index, b.valid_from, b.first) for b in whole
    ]
    for a, b in zip(pieces, whole, strict=True):
        assert np.array_equal(a.samples, b.samples)


@given(start=st.integers(0, 100_000), n=st.integers(0, 8000))
def test_blocks_lie_on_the_absolute_grid(start: int, n: int) -> None:
    for block in blocks_of(feed_all(Blocker(), [Chunk(start, ramp(n, start + 1))])):
        assert len(block.samples) == BLOCK_LENGTH
        assert block.end % 1600 == 200
        places = np.arange(block.end - BLOCK_LENGTH, block.end)
        expected = np.where(places >= start, places + 1, 0)
        assert np.array_equal(block.samples, expected)


@given(start=st.integers(0, 5000), n=st.integers(0, 8000))
def test_a_block_comes_as_soon_as_its_last_sample_is_there(start: int, n: int) -> None:
    n_ends = len([e for e in range(200, 14_000, 1600) if start < e <= start + n])
    assert len(feed_all(Blocker(), [Chunk(start, ramp(n))])) == n_ends


def test_only_the_first_block_asks_for_a_reset() -> None:
    blocks = blocks_of(feed_all(Blocker(), [Chunk(0, ramp(8200))]))
    assert [b.index for b in blocks] == [0, 1, 2, 3, 4, 5]
    assert [b.first for b in blocks] == [True, False, False, False, False, False]


def test_a_gap_is_reported_and_what_follows_starts_afresh() -> None:
    chunks = [Chunk(0, ramp(5000)), Chunk(7777, ramp(5000, 7778))]
    items = feed_all(Blocker(), chunks)
    at = next(i for i, item in enumerate(items) if isinstance(item, Gap))
    gap = items[at]
    assert isinstance(gap, Gap)
    assert (gap.start, gap.end) == (5000, 7777)
    after = blocks_of(items[at:])
    assert len(after) == len(items) - at - 1
    assert [b.first for b in after] == [True, *[False] * (len(after) - 1)]
    assert {b.valid_from for b in after} == {7777}
    # Nothing of the 200 + 1600 * 3 = 5000 samples before, zeros up to the gap's end.
    assert after[0].end == 8200
    assert np.array_equal(after[0].samples[: 7777 - 6600], np.zeros(1177))
    assert after[0].samples[1177] == 7778


def test_samples_before_a_gap_that_fill_no_block_are_not_mixed_with_later_ones() -> (
    None
):
    items = feed_all(Blocker(), [Chunk(0, ramp(300)), Chunk(400, ramp(1400, 401))])
    last = blocks_of(items)[-1]
    assert last.end == 1800
    assert np.array_equal(last.samples[:200], np.zeros(200))
    assert np.array_equal(last.samples[200:], ramp(1400, 401))


def test_a_chunk_that_follows_on_is_no_gap() -> None:
    chunks = [Chunk(0, ramp(5000)), Chunk(5000, ramp(0)), Chunk(5000, ramp(5000))]
    assert all(isinstance(i, Block) for i in feed_all(Blocker(), chunks))


def test_a_chunk_that_goes_backwards_is_refused() -> None:
    blocker = Blocker()
    list(blocker.feed(Chunk(100, ramp(400))))
    with pytest.raises(ValueError, match="starts at 499, before the end 500"):
        list(blocker.feed(Chunk(499, ramp(10))))


def test_blocks_that_were_given_out_are_not_written_to_again() -> None:
    blocker = Blocker()
    blocks = blocks_of(feed_all(blocker, [Chunk(0, ramp(3400))]))
    before = [b.samples.copy() for b in blocks]
    feed_all(blocker, [Chunk(3400, -ramp(9000))])
    for block, copy in zip(blocks, before, strict=True):
        assert np.array_equal(block.samples, copy)


def test_after_a_reset_a_stream_may_begin_anywhere() -> None:
    blocker = Blocker()
    feed_all(blocker, [Chunk(5000, ramp(700))])
    blocker.reset()
    items = feed_all(blocker, [Chunk(0, ramp(200))])
    assert [i.index for i in blocks_of(items)] == [0]
    assert len(items) == 1
