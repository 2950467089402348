"""Bare samples that came, however they were cut, and however many of them were lost."""

import random
from itertools import pairwise

import numpy as np
import pytest

from ser_stream.pipeline.values import Chunk
from ser_stream.sources.decoders.encoding import RawEncoding, RawForm
from ser_stream.sources.network.raw_samples import RawSamples

SIZES: dict[RawEncoding, int] = {"s16": 2, "s24": 3, "f32": 4}


def taken(incoming: RawSamples) -> list[Chunk]:
    chunks: list[Chunk] = []
    while incoming.ready and not incoming.exhausted:
        chunks += incoming.take(0.5)
    return [chunk for chunk in chunks if len(chunk.samples)]


def ramp(encoding: RawEncoding, channels: int, frames: int) -> bytes:
    """Each sample tells its place: frame n has n / 32768 in all channels."""
    values = np.repeat(np.arange(frames), channels)
    if encoding == "f32":
        return (values / 32768).astype("<f4").tobytes()
    scaled = (values << (8 * SIZES[encoding] - 16)).astype("<i4")
    return scaled.view(np.uint8).reshape(-1, 4)[:, : SIZES[encoding]].tobytes()


@pytest.mark.parametrize("encoding", list(SIZES))
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_lost_is_a_gap_and_what_follows_stands_where_it_was_spoken(
    encoding: RawEncoding, channels: int, seed: int
) -> None:
    choose = random.Random(seed)
    size = SIZES[encoding] * channels
    incoming = RawSamples(RawForm(16_000, channels, encoding), "tcp")
    data = ramp(encoding, channels, 20_000)
    touched: set[int] = set()
    at, chunks = 0, []
    while at < len(data):
        # However it is cut, also in the middle of a sample.
        piece = data[at : at + choose.choice([1, 5, 997, 6400, 12_801])]
        if at > 1000 and choose.random() < 0.3:
            incoming.lose(len(piece))
            touched.update(range(at // size, (at + len(piece) - 1) // size + 1))
        else:
            incoming.put(piece)
        at += len(piece)
        if choose.random() < 0.3:
            chunks += taken(incoming)
    incoming.end()
    chunks += taken(incoming)
    there = np.concatenate([np.arange(chunk.start, chunk.end) for chunk in chunks])
    heard = np.concatenate([chunk.samples for chunk in chunks])
    assert set(range(20_000)) - touched == set(there.tolist())
    assert np.allclose(heard, there / 32768, atol=1e-6)


def test_at_another_rate_the_index_jumps_by_what_was_lost() -> None:
    incoming = RawSamples(RawForm(11_025, 1, "s16"), "tcp")
    second = bytes(2 * 11_025)
    incoming.put(second)
    incoming.lose(len(second) + 1)
    incoming.put(second[1:])
    incoming.end()
    chunks = taken(incoming)
    jumps = [
        later.start - before.end
        for before, later in pairwise(chunks)
        if later.start != before.end
    ]
    assert jumps == [pytest.approx(16_000, abs=3)]
    assert chunks[-1].end == pytest.approx(48_000, abs=3)
