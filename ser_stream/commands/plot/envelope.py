"""A waveform so coarse that hours are drawn at once: extremes of short stretches."""

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

LENGTH = 80
"""Samples at 16 kHz of a stretch: 5 ms, 720,000 of them an hour."""


class Envelope:
    """Takes samples as they come, and keeps the extremes of each stretch."""

    def __init__(self) -> None:
        self._rest: FloatArray = np.zeros(0, np.float32)
        self._low: list[FloatArray] = []
        self._high: list[FloatArray] = []

    def take(self, samples: FloatArray) -> None:
        """Add samples at 16 kHz, (n,)."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % LENGTH
        stretches = samples[:whole].reshape(-1, LENGTH)
        # Copied: a view would keep all samples.
        self._rest = samples[whole:].copy()
        self._low.append(stretches.min(axis=1))
        self._high.append(stretches.max(axis=1))

    def between(
        self, start_s: float, end_s: float, most: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The extremes from one moment to another.

        Args:
            start_s: seconds since the beginning.
            end_s: the same.
            most: how many columns a picture has room for.

        Returns:
            The middle of each column in seconds, (n,), n at most `most`; the least and
            the greatest sample in it, (n,).
        """
        last = [self._rest] if len(self._rest) else []
        low = np.concatenate([*self._low, *(x.min(keepdims=True) for x in last)])
        high = np.concatenate([*self._high, *(x.max(keepdims=True) for x in last)])
        length_s = LENGTH / SAMPLE_RATE
        first = min(int(start_s / length_s), len(low) - 1)
        beyond = min(len(low), int(np.ceil(end_s / length_s)))
        every = max(1, -(-(beyond - first) // most))
        starts = np.arange(first, beyond, every)
        ends = np.append(starts[1:], beyond)
        return (
            ((starts + ends) / 2 * length_s).astype(np.float32),
            np.minimum.reduceat(low[:beyond], starts),
            np.maximum.reduceat(high[:beyond], starts),
        )
