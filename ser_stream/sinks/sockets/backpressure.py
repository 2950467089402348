"""At fast pace the pipeline waits for subscribers that read, and for none too long."""

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ser_stream.sinks.sockets.subscriber import Subscriber

MOST_BEHIND = 256
"""Messages that may wait for one subscriber before the pipeline waits too."""
MOST_UNDERWAY = 64
"""Messages between pipeline and loop; with those above far fewer than a queue holds."""
LONGEST = 5.0
"""Seconds in which a subscriber that is behind must take something."""
_POLL = 0.25


class Backpressure:
    """Lets messages pass or wait: `enter` in one thread, the rest in the loop's."""

    def __init__(self) -> None:
        self._room = threading.Event()
        self._room.set()
        self._underway = threading.Semaphore(MOST_UNDERWAY)
        self._timers: dict[Subscriber, asyncio.TimerHandle] = {}
        self.waits = True

    def stop_waiting(self) -> None:
        """Let all messages pass from now on; safe from a signal handler."""
        self.waits = False

    def enter(self) -> None:
        """Wait until a message may go to the loop."""
        while self.waits and not self._room.wait(_POLL):
            pass
        while not self._underway.acquire(timeout=_POLL):
            if not self.waits:
                return

    def passed(self) -> None:
        self._underway.release()

    def watch(self, reader: "Subscriber") -> None:
        """Note that a reader is further behind, or less."""
        if reader.behind > MOST_BEHIND:
            if reader not in self._timers:
                self._room.clear()
                self._wait_for(reader)
        elif reader in self._timers and reader.behind <= MOST_BEHIND // 2:
            self._timers.pop(reader).cancel()
            if not self._timers:
                self._room.set()

    def _wait_for(self, reader: "Subscriber") -> None:
        loop = asyncio.get_running_loop()
        before = reader.progress()
        self._timers[reader] = loop.call_later(LONGEST, self._look, reader, before)

    def _look(self, reader: "Subscriber", before: tuple[int, int]) -> None:
        if reader.progress() == before:
            reader.finish("slow_subscriber")
            self.watch(reader)
        else:
            self._wait_for(reader)
