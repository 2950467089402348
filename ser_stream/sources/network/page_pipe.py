"""The way of pages into a pipe, whose reader takes as many as it likes at a time."""

import asyncio
import os
from collections.abc import Callable


class PagePipe:
    """Nothing here waits; all but the reading end belongs to the loop's thread."""

    def __init__(self, on_room: Callable[[], None]) -> None:
        """Open it, in the thread of a running loop.

        Args:
            on_room: called there when some of what waited went in.
        """
        self.reading, self._writing = os.pipe()
        """The end to read from: whoever reads closes it."""
        os.set_blocking(self._writing, False)
        self._loop = asyncio.get_running_loop()
        self._on_room = on_room
        self._waiting = bytearray()
        self._ended = self._watched = False

    @property
    def waiting(self) -> int:
        """Bytes that the pipe has not taken yet."""
        return len(self._waiting)

    def put(self, data: bytes | bytearray) -> None:
        """Take bytes; nothing after `end`, nor when the reader has gone."""
        if self._ended:
            return
        self._waiting += data
        if not self._watched:
            self._hand_on()

    def end(self) -> None:
        """What waits still goes in, then the end."""
        self._ended = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """End it now; what waits is dropped."""
        self._ended = True
        self._waiting.clear()
        if self._writing < 0:
            return
        # First: the number is soon that of another file.
        self._watch(False)
        os.close(self._writing)
        self._writing = -1

    def _hand_on(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._writing, self._waiting)]
        except BlockingIOError:
            self._watch(True)
        except BrokenPipeError:
            self.close()
        else:
            self._watch(False)
            if self._ended:
                self.close()

    def _watch(self, watched: bool) -> None:
        """Be called when the pipe has room, or no longer."""
        if watched and not self._watched:
            self._loop.add_writer(self._writing, self._on_writable)
        elif self._watched and not watched:
            self._loop.remove_writer(self._writing)
        self._watched = watched

    def _on_writable(self) -> None:
        self._hand_on()
        self._on_room()
