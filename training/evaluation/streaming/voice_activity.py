"""Where in a clip the voice is, and how loud: without the detector under test."""

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

FRAME = SAMPLE_RATE // 100
RANGE_DB = 35.0
"""A frame so much quieter than the clip's loudest is silence."""
MARGIN = SAMPLE_RATE // 20
"""Kept on either side, for soft beginnings; 50 ms."""


def voiced_extent(samples: FloatArray) -> tuple[int, int]:
    """First sample of the voice and the one after its last, with 50 ms to spare."""
    n = len(samples) // FRAME
    if not n:
        return 0, len(samples)
    frames = samples[: n * FRAME].reshape(n, FRAME).astype(np.float64)
    # Of the alternating part: some corpora have a DC offset.
    energy = frames.var(axis=1)
    loud = np.flatnonzero(energy >= energy.max() * 10 ** (-RANGE_DB / 10))
    start, end = int(loud[0]) * FRAME, int(loud[-1] + 1) * FRAME
    return max(0, start - MARGIN), min(len(samples), end + MARGIN)


def voiced_level(samples: FloatArray) -> float:
    """Root mean square of the voiced part, without its mean."""
    start, end = voiced_extent(samples)
    return float(samples[start:end].astype(np.float64).std())
