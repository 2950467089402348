"""A bounded queue between two threads: one puts, the other waits for what comes."""

import threading

from ser_stream.protocol.messages import Message
from ser_stream.sinks.sockets.drop_queue import CAPACITY, DropQueue


class ThreadQueue:
    """A `DropQueue` whose reader waits."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._queue = DropQueue(capacity)
        self._condition = threading.Condition()
        self._closed = False

    @property
    def given_up(self) -> bool:
        return self._queue.given_up

    def put(self, message: Message) -> None:
        """Queue one message; never waits."""
        with self._condition:
            self._queue.put(message)
            self._condition.notify()

    def get(self) -> Message | None:
        """Wait for the next message; None after `close`, when all were taken."""
        with self._condition:
            while not self._queue and not self._closed:
                self._condition.wait()
            return self._queue.get()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()
