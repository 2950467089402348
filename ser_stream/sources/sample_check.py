"""Checks that every source makes on its samples."""

import logging

import numpy as np

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray

_LOGGER = logging.getLogger(__name__)


class SampleCheck:
    """Refuses samples that are no numbers; clips those beyond full scale, once warned.

    A float file can hold both; the front end is defined for [-1, 1].
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._warned = False

    def __call__(self, samples: FloatArray, position: int) -> FloatArray:
        """Check samples of shape (n, channels) that begin at frame `position`.

        Raises:
            SourceError: if a sample is NaN or infinite.
        """
        # One pass: the extremes are NaN or infinite if any sample is.
        low, high = float(samples.min(initial=0.0)), float(samples.max(initial=0.0))
        if not np.isfinite(low) or not np.isfinite(high):
            bad = np.nonzero(~np.isfinite(samples).all(axis=1))[0][0]
            raise SourceError(
                f"{self._name}: sample {position + int(bad)} is not a number "
                "(NaN or infinite); the audio is damaged"
            )
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
