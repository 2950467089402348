"""The ring between PortAudio's callback and the thread that reads.

The callback must never wait for us: it copies and returns. A reader that comes too late
finds the oldest half gone, counted, and the device's frame index moved on by as much.
Memory is taken for what waits: usually that is a step, where room for all that may wait
would be 2 MB.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ser_stream.pipeline.values import FloatArray


class Piece(NamedTuple):
    """Samples without a gap between them."""

    start: int
    """Frame of the device's own count at which they begin; a jump is a loss."""
    samples: FloatArray
    """Shape (n, channels)."""
    arrived: float
    """`time.monotonic` at which the last of them was written, seconds."""


@dataclass(frozen=True, slots=True)
class RingStatistics:
    """Losses since the beginning."""

    overwritten: int
    """Frames that were lost because the reader was late."""
    overflows: int
    """How many times the device lost frames before they reached us."""


@dataclass(slots=True)
class _Write:
    """One write, or what is left of it."""

    index: int
    samples: FloatArray
    arrived: float


class Ring:
    """Frames of a device, one writer, one reader."""

    def __init__(self, capacity: int, maximum: int) -> None:
        """For `capacity` frames; `maximum` at most are handed out at a time."""
        self._capacity = capacity
        self._maximum = maximum
        # Held for the time of a copy at most, some microseconds.
        self._changed = threading.Condition()
        self._writes: deque[_Write] = deque()
        self._held = 0
        self._wanted = 1
        self._index = 0
        self._overwritten = 0
        self._overflows = 0

    @property
    def index(self) -> int:
        """The frame that comes next, lost ones counted in."""
        return self._index

    def write(self, samples: FloatArray, now: float) -> None:
        """Copy frames of shape (n, channels) that arrived at `now`, seconds."""
        with self._changed:
            surplus = max(0, len(samples) - self._capacity)
            self._overwritten += surplus
            self._index += surplus
            samples = samples[surplus:]
            n = len(samples)
            if not n:
                return
            if self._held + n > self._capacity:
                # Half of it at once: while a late reader catches up, one long gap
                # instead of a hundred short ones.
                while self._writes and self._held + n > self._capacity // 2:
                    oldest = self._writes.popleft()
                    self._held -= len(oldest.samples)
                    self._overwritten += len(oldest.samples)
            self._writes.append(_Write(self._index, samples.copy(), now))
            self._held += n
            self._index += n
            if self._held >= self._wanted:
                self._changed.notify()

    def note_gap(self, n: int) -> None:
        """Note that the device lost `n` frames after the last write."""
        with self._changed:
            self._overflows += 1
            self._index += n

    def read(self, timeout: float, least: int = 1) -> Piece | None:
        """The oldest frames up to the next gap, or None if none came in `timeout` s.

        Nobody is woken before `least` are there, or the time is over.
        """
        with self._changed:
            self._wanted = least
            self._changed.wait_for(lambda: self._held >= least, timeout)
            if not self._writes:
                return None
            first = self._writes[0]
            index, arrived = first.index, first.arrived
            pieces: list[FloatArray] = []
            n = 0
            while self._writes and n < self._maximum:
                write = self._writes[0]
                if write.index != index + n:
                    break
                taken = min(len(write.samples), self._maximum - n)
                pieces.append(write.samples[:taken])
                n += taken
                arrived = write.arrived
                if taken == len(write.samples):
                    self._writes.popleft()
                else:
                    write.index += taken
                    write.samples = write.samples[taken:]
            self._held -= n
        return Piece(index, np.concatenate(pieces), arrived)

    def skip_to_newest(self) -> int:
        """Throw away all but what was written last; return how many frames that was."""
        with self._changed:
            skipped = 0
            while len(self._writes) > 1:
                skipped += len(self._writes.popleft().samples)
            self._held -= skipped
        return skipped

    def statistics(self) -> RingStatistics:
        with self._changed:
            return RingStatistics(self._overwritten, self._overflows)
