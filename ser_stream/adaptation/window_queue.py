"""Windows on their way from the thread that the audio waits for to another one."""

import threading
from collections import deque
from collections.abc import Callable

from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.values import SpeechWindow

MOST_WAITING = 32
"""Windows, half a minute of speech; live, what comes on top is left out."""


class WindowQueue:
    """A queue that never makes live audio wait, and lets a recording wait for all."""

    def __init__(self, live: bool, geometry: Geometry = CPAC) -> None:
        self._live = live
        self._geometry = geometry
        # Held for a moment only: the audio's thread comes by here.
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, SpeechWindow]] = deque()
        self._busy = False
        self._forgetting = False
        self._forgotten_to: int | None = None
        self.closed = False
        self.dropped = 0
        """Windows left out, as too many waited."""

    def put(self, version: int, window: SpeechWindow) -> None:
        """Hand over a window, and the number of the version that scored it."""
        with self._changed:
            if self.closed or self._is_forgotten(window):
                return
            if self._live and len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.append((version, window))
            self._changed.notify_all()

    def next(self) -> tuple[int, SpeechWindow] | None:
        """The next window, once there is one; None when closed.

        The one before counts as dealt with.
        """
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self.closed)
            if self.closed:
                return None
            self._busy = True
            return self._waiting.popleft()

    def wait_idle(self, timeout: float, also: Callable[[], bool]) -> bool:
        """Whether all has been dealt with, and `also` holds, within `timeout` seconds.

        A change of what `also` returns needs a `wake`.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    self.closed or (not self._waiting and not self._busy and also())
                ),
                timeout,
            )

    def wake(self) -> None:
        """Have `wait_idle` look again."""
        with self._changed:
            self._changed.notify_all()

    def clear(self) -> None:
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def forget(self) -> None:
        """Drop what waits, and all speech up to now.

        A window reaches three seconds back. Where in the stream now is, the next one
        shows, so nothing is taken of what begins before its end.
        """
        with self._changed:
            self._forgetting, self._forgotten_to = True, None
            self.clear()

    def _is_forgotten(self, window: SpeechWindow) -> bool:
        if self._forgetting:
            self._forgetting, self._forgotten_to = False, window.end
        if self._forgotten_to is None:
            return False
        begin = window.end - self._geometry.samples_of(len(window.frames))
        # A new stream, which all came later, counts its samples from the beginning.
        if begin < self._forgotten_to <= window.end:
            return True
        self._forgotten_to = None
        return False

    def close(self) -> None:
        """Take nothing any more, and end all waiting."""
        with self._changed:
            self.closed = True
            self.clear()
