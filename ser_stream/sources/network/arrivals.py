"""When the bytes of a stream came, though many of them wait."""

from collections import deque

COARSE_S = 0.01
"""What comes within so many seconds counts as having come at the end of them: bytes
one by one must not be noted one by one."""


class Arrivals:
    """Under the lock of whoever puts bytes in and takes them out."""

    def __init__(self) -> None:
        # Where a piece ends, counted in bytes, when it began to come and when it came.
        self._pieces: deque[tuple[int, float, float]] = deque()
        self._came = self._taken = 0
        self._last = 0.0

    def came(self, count: int, now: float) -> None:
        """So many bytes more have come; monotonic seconds."""
        self._came += count
        begun = now
        if self._pieces and now - self._pieces[-1][1] < COARSE_S:
            begun = self._pieces.pop()[1]
        self._pieces.append((self._came, begun, now))
        self._last = now

    def taken(self, count: int) -> float:
        """So many bytes more are taken; when the last of them came.

        It is not known better than `COARSE_S`. Where none was taken yet, it is when the
        first came.
        """
        self._taken += count
        while self._pieces and self._pieces[0][0] < self._taken:
            self._pieces.popleft()
        return self._pieces[0][2] if self._pieces else self._last
