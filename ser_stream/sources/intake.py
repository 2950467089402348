"""What every recording's samples go through: checks, mono, 16 kHz, one index."""

import logging

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.values import SAMPLE_RATE, Chunk, FloatArray
from ser_stream.sources.channels import MIX
from ser_stream.sources.resample import MonoResampler

_LOGGER = logging.getLogger(__name__)
LOSSY = 1.5
"""So far beyond full scale are decoders of MP3 and the like, of loud sound."""
GRID_S = 0.1
"""Damaged samples are a gap up to the next such place, counted from the beginning."""


class Intake:
    """Samples at their own rate -> chunks; how they are cut does not matter."""

    def __init__(
        self, name: str, rate: int, channels: int, channel: str = MIX, start: int = 0
    ) -> None:
        """Begin at a sample index; `name` is what warnings call the samples.

        Raises:
            SourceError: if there is no such channel.
        """
        self._name = name
        self._resampler = MonoResampler(rate, channels, channel, name)
        self.kind = (rate, channels)
        self.warned = False
        """Whether it was told that samples are beyond full scale."""
        self.taken = 0
        """Frames taken, at their own rate."""
        self.bad = 0
        """Of them those that were no numbers, and what is lost with them."""
        self.first_bad: int | None = None
        """Which frame was the first of them."""
        self._grid = max(1, round(rate * GRID_S))
        self._start = start
        self._next = start
        self._in_gap = False

    @property
    def end(self) -> int:
        """Sample index after the last one that was taken, at 16 kHz."""
        return max(self._next, self._index_of(self.taken))

    def take(self, samples: FloatArray, *, last: bool = False) -> list[Chunk]:
        """The next samples, (n, channels) -> chunks, with a gap where they are damaged.

        Samples that are not a number or infinite are such damage. What lies between
        them and the next tenth of a second is lost with them.
        """
        if self._is_good(samples) and not self._in_gap:
            return [self._chunk(self._in_range(samples), last)]
        chunks = []
        good: NDArray[np.bool_] = np.all(np.isfinite(samples), axis=1)
        at, n = 0, len(samples)
        while at < n:
            if self._in_gap:
                skipped = min(n - at, -self.taken % self._grid)
                self._lose(skipped)
                at += skipped
                if at == n and self.taken % self._grid:
                    break
                self._in_gap = False
                continue
            wrong = np.flatnonzero(~good[at:])
            end = at + int(wrong[0]) if len(wrong) else n
            if end > at:
                piece = self._in_range(samples[at:end])
                chunks.append(self._chunk(piece, last=end < n))
            elif len(wrong):
                chunks.append(self._chunk(samples[:0], last=True))
            at = end
            if len(wrong):
                if self.first_bad is None:
                    self.first_bad = self.taken
                self._lose(1)
                at += 1
                self._resampler.reset()
                self._in_gap = bool(self.taken % self._grid)
        if last:
            chunks.append(self._chunk(samples[:0], last=True))
        return [chunk for chunk in chunks if len(chunk.samples)] or [self._empty()]

    def skip(self, frames: int) -> list[Chunk]:
        """Go on behind frames that nobody has: what is left before them, then a gap."""
        left = self._chunk(np.zeros((0, self.kind[1]), np.float32), last=True)
        self._resampler.reset()
        self._in_gap = False
        self._pass(frames)
        return [left, self._empty()]

    def _lose(self, frames: int) -> None:
        self.bad += frames
        self._pass(frames)

    def _pass(self, frames: int) -> None:
        self.taken += frames
        self._next = max(self._next, self._index_of(self.taken))

    def _index_of(self, frame: int) -> int:
        return self._start + round(frame * SAMPLE_RATE / self.kind[0])

    def _chunk(self, samples: FloatArray, last: bool) -> Chunk:
        self.taken += len(samples)
        chunk = Chunk(self._next, self._resampler.feed(samples, last=last))
        self._next = chunk.end
        return chunk

    def _empty(self) -> Chunk:
        return Chunk(self._next, np.zeros(0, np.float32))

    @staticmethod
    def _is_good(samples: FloatArray) -> bool:
        # One pass: the extremes are NaN or infinite if any sample is.
        low, high = samples.min(initial=0.0), samples.max(initial=0.0)
        return bool(np.isfinite(low) and np.isfinite(high))

    def _in_range(self, samples: FloatArray) -> FloatArray:
        # A float can be beyond full scale; the front end is defined for [-1, 1].
        loudest = float(np.abs(samples).max(initial=0.0))
        if loudest <= 1.0:
            return samples
        # What is lossy overshoots; nobody need hear of that.
        if not self.warned and loudest > LOSSY:
            self.warned = True
            _LOGGER.warning(
                "%s: samples beyond full scale (up to %.4g times it) are clipped",
                self._name,
                loudest,
            )
        return np.clip(samples, -1.0, 1.0)
