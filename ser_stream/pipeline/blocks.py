"""Chunks of any length -> fixed blocks of 1600 samples on an absolute grid.

Regrouping comes before any arithmetic, so what is computed later is bit-identical
however the audio was cut. Blocks end at samples 200 + 1600 m: an encoder frame of CPAC
ends at 1600 k + 8200, which is such an end, so no step waits for audio that it does not
need.
"""

from collections.abc import Iterator

import numpy as np

from ser_stream.pipeline.values import Block, Chunk, Gap

BLOCK_LENGTH = 1600
"""Samples; 0.1 s, 8 frames, one encoder frame of CPAC."""
BLOCK_PHASE = 200
"""Samples; block ends lie at BLOCK_PHASE + m * BLOCK_LENGTH."""


class Blocker:
    """Regroups chunks into blocks, and turns jumps of the index into gaps."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next chunk begins a stream."""
        self._expected: int | None = None
        self._begin(0)

    def _begin(self, start: int) -> None:
        # The block that contains `start`; what lies before it in the block is zeros.
        self._index = -(-(start + 1 - BLOCK_PHASE) // BLOCK_LENGTH)
        block_start = BLOCK_PHASE + BLOCK_LENGTH * (self._index - 1)
        self._filled = start - block_start
        self._samples = np.zeros(BLOCK_LENGTH, np.float32)
        self._valid_from = start
        self._first = True

    def absorb(self, chunk: Chunk) -> bool:
        """Take a chunk in if it completes no block, and is no gap; whether it did."""
        samples, begin = chunk.samples, self._filled
        n = len(samples)
        if chunk.start != self._expected or begin + n >= BLOCK_LENGTH:
            return False
        self._samples[begin : begin + n] = samples
        self._filled = begin + n
        self._expected += n
        return True

    def feed(self, chunk: Chunk) -> Iterator[Block | Gap]:
        """Yield the blocks that `chunk` completes, each gap before its blocks.

        Raises:
            ValueError: if the chunk begins before the end of the last one.
        """
        if self._expected is None:
            self._begin(chunk.start)
        elif chunk.start > self._expected:
            yield Gap(self._expected, chunk.start, chunk.gap)
            self._begin(chunk.start)
        elif chunk.start < self._expected:
            raise ValueError(
                f"chunk starts at {chunk.start}, before the end {self._expected} of "
                "the last one"
            )
        self._expected = chunk.end
        samples = chunk.samples
        while len(samples):
            n = min(BLOCK_LENGTH - self._filled, len(samples))
            self._samples[self._filled : self._filled + n] = samples[:n]
            samples = samples[n:]
            self._filled += n
            if self._filled == BLOCK_LENGTH:
                yield Block(self._index, self._samples, self._valid_from, self._first)
                self._samples = np.empty(BLOCK_LENGTH, np.float32)
                self._filled = 0
                self._index += 1
                self._first = False
