"""What every recording's samples go through: checks, mono, 16 kHz, one index."""

import logging

import numpy as np

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import Chunk, FloatArray
from ser_stream.sources.resample import MonoResampler

_LOGGER = logging.getLogger(__name__)


class Intake:
    """Samples at their own rate -> chunks; how they are cut does not matter."""

    def __init__(self, name: str, rate: int, channels: int) -> None:
        """Begin; `name` is what errors and warnings call the samples."""
        self._name = name
        self._resampler = MonoResampler(rate, channels)
        self.kind = (rate, channels)
        self._warned = False
        self.taken = 0
        """Frames taken, at their own rate."""
        self._next = 0

    def take(self, samples: FloatArray, *, last: bool = False) -> Chunk:
        """The next samples, (n, channels) -> a chunk.

        Raises:
            SourceError: if a sample is NaN or infinite; nothing was taken then.
        """
        samples = self._checked(samples)
        self.taken += len(samples)
        chunk = Chunk(self._next, self._resampler.feed(samples, last=last))
        self._next = chunk.end
        return chunk

    def _checked(self, samples: FloatArray) -> FloatArray:
        # One pass: the extremes are NaN or infinite if any sample is.
        low, high = float(samples.min(initial=0.0)), float(samples.max(initial=0.0))
        if not np.isfinite(low) or not np.isfinite(high):
            bad = np.nonzero(~np.isfinite(samples).all(axis=1))[0][0]
            raise SourceError(
                f"{self._name}: sample {self.taken + int(bad)} is not a number "
                "(NaN or infinite); the audio is damaged"
            )
        # A float can be beyond full scale; the front end is defined for [-1, 1].
        if max(-low, high) <= 1.0:
            return samples
        if not self._warned:
            self._warned = True
            _LOGGER.warning(
                "%s: samples beyond full scale (up to %.3g) are clipped",
                self._name,
                max(-low, high),
            )
        return np.clip(samples, -1.0, 1.0)
