"""How long steps took, counted in buckets: what a histogram of Prometheus needs."""

from bisect import bisect_left

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Upper bounds of the buckets, seconds; one more takes what is above."""


class LatencyHistogram:
    """Written by one thread; others may read at any time."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0
        """Sum of all that was observed, seconds."""

    def observe(self, seconds: float) -> None:
        """Count one step."""
        # As in Prometheus, a bound belongs to its bucket.
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds

    @property
    def counts(self) -> tuple[int, ...]:
        """How many fell in each bucket, the last without an upper bound."""
        return tuple(self._counts)
