"""When a sample was spoken, by the clock on the wall."""

import time
from datetime import UTC, datetime, timedelta

from ser_stream.pipeline.values import SAMPLE_RATE, Chunk

LOOK_BACK_S = 10.0
"""Seconds of audio over which the earliest arrival is looked for."""


class WallClock:
    """Sample index -> UTC.

    A sound card's clock and the computer's disagree by seconds a day, and the
    computer's may be set. So each `LOOK_BACK_S` the mapping is taken anew from the
    chunk that came with the least delay: delays only ever add.
    """

    def __init__(self, t0: datetime | None = None) -> None:
        self.t0 = t0 or datetime.now(UTC)
        """UTC of sample 0, as far as is known now."""
        self._earliest: float | None = None
        self._until = 0

    def begin(self, chunk: Chunk) -> None:
        """Take `chunk`, the first one, as the measure."""
        self.t0 = datetime.fromtimestamp(_zero(chunk), UTC)
        self._earliest, self._until = None, _after(chunk)

    def follow(self, chunk: Chunk) -> None:
        """Note when `chunk` came; only for sources that come by the clock."""
        zero = _zero(chunk)
        self._earliest = zero if self._earliest is None else min(self._earliest, zero)
        if chunk.end >= self._until:
            self.t0 = datetime.fromtimestamp(self._earliest, UTC)
            self._earliest, self._until = None, _after(chunk)

    def utc(self, sample: int) -> datetime:
        return self.t0 + timedelta(seconds=sample / SAMPLE_RATE)


def _zero(chunk: Chunk) -> float:
    """Seconds since 1970 at which sample 0 was spoken, if `chunk` had no delay."""
    age = time.monotonic() - chunk.arrived
    return time.time() - age - chunk.end / SAMPLE_RATE


def _after(chunk: Chunk) -> int:
    return chunk.end + round(LOOK_BACK_S * SAMPLE_RATE)
