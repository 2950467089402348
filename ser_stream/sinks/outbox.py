"""A bounded queue of messages for one subscriber that may be slow."""

import threading
from collections import deque

from ser_stream.events import Message, bye, dropped

CAPACITY = 1000
"""Messages; over three minutes of predictions at the default step."""


class Outbox:
    """Drops the oldest predictions when full, and says so; keeps everything else.

    Full of other messages it gives up, and its last message is `bye`.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._messages: deque[Message] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._lost: list[int] = []  # count, first and last seq
        self.given_up = False
        """True when not even dropping predictions made room."""

    def put(self, message: Message) -> None:
        """Queue one message; never waits."""
        with self._condition:
            if self.given_up:
                return
            self._messages.append(message)
            if len(self._messages) > self._capacity and not self._drop_one():
                # What is left may not be dropped, and memory may not grow.
                self.given_up = True
                self._messages.append(bye("slow_subscriber"))
            self._condition.notify()

    def _drop_one(self) -> bool:
        for i, message in enumerate(self._messages):
            if message.type == "prediction":
                seq = int(message.fields["seq"])
                del self._messages[i]
                count, first, _ = self._lost or (0, seq, seq)
                self._lost = [count + 1, first, seq]
                return True
        return False

    def get(self) -> Message | None:
        """Wait for the next message; None after `close`, when all were taken."""
        with self._condition:
            while not self._messages and not self._lost and not self._closed:
                self._condition.wait()
            if self._lost:
                count, first, last = self._lost
                self._lost = []
                return dropped(count, first, last)
            return self._messages.popleft() if self._messages else None

    def close(self) -> None:
        """No message will come any more."""
        with self._condition:
            self._closed = True
            self._condition.notify()
