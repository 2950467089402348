"""When to try again: soon at first, then less and less often."""

import time


class Backoff:
    """Pauses that double."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._pause_s = first_s
        self._next = 0.0

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._next

    def tried(self) -> None:
        """Begin the next pause, twice as long as the last: an attempt failed."""
        self._next = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._longest_s)

    def reset(self) -> None:
        """Be due at once, and begin with the shortest pause."""
        self._next = 0.0
        self._pause_s = self._first_s
