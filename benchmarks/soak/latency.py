"""A million times in a few figures."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

BIN_MS = 1
BINS = 100
"""Of the histogram; the last one holds all that is beyond."""


def summary(seconds: ArrayLike) -> dict[str, Any] | None:
    """Milliseconds: quantiles, and a histogram for the figure."""
    ms = np.asarray(seconds, np.float64) * 1000
    if not ms.size:
        return None
    p50, p99, p999 = np.percentile(ms, [50, 99, 99.9])
    bins = np.clip(ms / BIN_MS, 0, BINS - 1).astype(np.int64)
    return {
        "lines": int(ms.size),
        "p50": round(float(p50), 2),
        "p99": round(float(p99), 2),
        "p99.9": round(float(p999), 2),
        "max": round(float(ms.max()), 2),
        "histogram": np.bincount(bins, minlength=BINS).tolist(),
    }
