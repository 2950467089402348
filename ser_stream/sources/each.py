"""One source whose channels are streams of their own: its chunks, parted."""

import numpy as np

from ser_stream.pipeline.values import Chunk


def parted(chunk: Chunk, count: int) -> list[Chunk | None]:
    """A chunk of several channels -> one of each, `count` in all.

    Args:
        chunk: with samples of shape (n, channels), or (n,) if there is one channel.
        count: how many streams there are. What has fewer channels, as what is joined
            to a recording may have, leaves the others without a chunk: that is a gap.
    """
    samples = chunk.samples if chunk.samples.ndim > 1 else chunk.samples[:, None]
    return [
        Chunk(
            chunk.start,
            np.ascontiguousarray(samples[:, k]),
            chunk.arrived,
            chunk.gap,
        )
        if k < samples.shape[1]
        else None
        for k in range(count)
    ]
