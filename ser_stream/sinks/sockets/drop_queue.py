"""A bounded queue of messages for one subscriber that may be slow.

For one thread; `ser_stream.sinks.thread_queue` is the one for two. Nothing here takes
longer the more messages wait: fifty subscribers that never read must not cost anything.
"""

from collections import deque

from ser_stream.protocol.messages import Message, bye, dropped

CAPACITY = 1000
"""Messages; over three minutes of predictions at the default step."""


class DropQueue:
    """Drops the oldest predictions when full, and says so; keeps everything else.

    Full of other messages it gives up, and its last message is `bye`.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._order = 0
        # Apart, so that the oldest prediction is at hand; numbered, to be put together.
        self._predictions: deque[tuple[int, Message]] = deque()
        self._others: deque[tuple[int, Message]] = deque()
        # By source: count, first and last seq.
        self._lost: dict[str, tuple[int, int, int]] = {}
        self._closed = False
        self.given_up = False
        """True when not even dropping predictions made room."""

    def __len__(self) -> int:
        """How many times `get` will give something."""
        return len(self._predictions) + len(self._others) + len(self._lost)

    def put(self, message: Message) -> bool:
        """Queue one message; nothing after `close`.

        Returns:
            True if a prediction was dropped to make room.
        """
        if self._closed:
            return False
        self._append(message)
        if len(self._predictions) + len(self._others) <= self._capacity:
            return False
        if not self._predictions:
            # What is left may not be dropped, and memory may not grow.
            self.given_up = True
            self.close(bye("slow_subscriber"))
            return False
        oldest = self._predictions.popleft()[1]
        seq = int(oldest.fields["seq"])
        count, first, _ = self._lost.get(oldest.source, (0, seq, seq))
        self._lost[oldest.source] = (count + 1, first, seq)
        return True

    def _append(self, message: Message) -> None:
        self._order += 1
        predicted = message.type == "prediction"
        queue = self._predictions if predicted else self._others
        queue.append((self._order, message))

    def get(self) -> Message | None:
        if self._lost:
            source = next(iter(self._lost))
            return dropped(*self._lost.pop(source), source)
        queues = [queue for queue in (self._predictions, self._others) if queue]
        return (
            min(queues, key=lambda queue: queue[0][0]).popleft()[1] if queues else None
        )

    def close(self, last: Message | None = None) -> None:
        """Take no more messages, except this one."""
        if not self._closed and last is not None:
            self._append(last)
        self._closed = True
