"""Mel bands of many power spectra, without the products with zeros.

A band's filter is zero but for a few neighbouring bins, and filters next to each other
share most of theirs. So some filters at a time are one small matrix. Of the few frames
of a block the whole matrix is no slower.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.mfcc import MfccConfig, mel_filter_bank

FILTERS_AT_ONCE = 16


@lru_cache(maxsize=4)
def _matrices(config: MfccConfig) -> list[tuple[slice, slice, NDArray[np.float64]]]:
    """Of some filters at a time: which, over which bins, and (bins, filters)."""
    filters, found = mel_filter_bank(config), []
    for at in range(0, len(filters), FILTERS_AT_ONCE):
        which = slice(at, min(at + FILTERS_AT_ONCE, len(filters)))
        heard = np.flatnonzero(filters[which].any(axis=0))
        bins = slice(int(heard[0]), int(heard[-1]) + 1)
        found.append((which, bins, np.ascontiguousarray(filters[which, bins].T)))
    return found


def mel_power(power: NDArray[np.float64], config: MfccConfig) -> NDArray[np.float64]:
    """As `ser_stream.pipeline.mfcc.mel_power`, but for rounding."""
    result = np.empty((len(power), config.n_mels))
    for which, bins, matrix in _matrices(config):
        result[:, which] = power[:, bins] @ matrix
    return result
