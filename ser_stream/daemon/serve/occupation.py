"""How much of its time the computing thread computes, and that it goes on."""

import time
from collections import deque
from typing import NamedTuple

REMEMBERED = 60
"""Looks back, one a second: shares are those of the last minute."""


class Share(NamedTuple):
    """Of a thread's time, 0 to 1."""

    realtime: float
    """For audio that comes as it is spoken."""
    fast: float
    """For what comes faster, and has the time that is left over."""


class Occupation:
    """The computing thread writes; others read whenever they like."""

    def __init__(self) -> None:
        now = time.monotonic()
        self.realtime_s = self.fast_s = 0.0
        """Seconds spent, since the start."""
        self.seen = now
        """Monotonic seconds when it last went on, with work or without."""
        self._past = deque([(now, 0.0, 0.0)], maxlen=REMEMBERED + 1)

    def spent(self, realtime_s: float, fast_s: float, now: float) -> None:
        """So many seconds more were spent, until now."""
        self.realtime_s += realtime_s
        self.fast_s += fast_s
        self.seen = now
        if now - self._past[-1][0] >= 1:
            self._past.append((now, self.realtime_s, self.fast_s))

    def share(self) -> Share:
        """Of the last minute, or since the start."""
        begun, realtime_s, fast_s = self._past[0]
        passed = max(time.monotonic() - begun, 1e-9)
        return Share(
            min(1.0, (self.realtime_s - realtime_s) / passed),
            min(1.0, (self.fast_s - fast_s) / passed),
        )
