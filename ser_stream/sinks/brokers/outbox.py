"""What waits for a broker, within bounds."""

from collections import deque

from ser_stream.protocol.messages import Message, dropped

PREDICTIONS = 100
"""That may wait for a broker that is connected, or about to be; 20 s of them."""
OTHERS = 1000
"""Emotions, statuses and the like that may wait, also while it is away."""
Lost = tuple[int, int, int]
"""How many, and the numbers of the first and the last."""


class Outbox:
    """Two bounded queues with one order; full, each drops its oldest.

    For one thread. What is dropped is counted, and told before what comes after it.
    """

    def __init__(self) -> None:
        self._order = 0
        self._predictions: deque[tuple[int, Message]] = deque()
        self._others: deque[tuple[int, Message]] = deque()
        self._lost: dict[str | None, Lost] = {}
        self.dropped = 0
        """Events, since the start."""
        self.away = False
        """While the broker is, no prediction is queued."""

    def __len__(self) -> int:
        return len(self._predictions) + len(self._others)

    @property
    def undelivered(self) -> int:
        """Events that were dropped, or still wait."""
        queues = (*self._predictions, *self._others)
        return self.dropped + sum("seq" in message.fields for _, message in queues)

    def put(self, message: Message) -> None:
        """Queue one message, or drop it."""
        predicted = message.type == "prediction"
        if predicted and self.away:
            self.drop(message)
            return
        self._order += 1
        queue = self._predictions if predicted else self._others
        queue.append((self._order, message))
        if len(queue) > (PREDICTIONS if predicted else OTHERS):
            self.drop(queue.popleft()[1])

    def take(self) -> Message | None:
        """The next message: the oldest, after what is to be told of those dropped."""
        if self._lost:
            source, lost = self._lost.popitem()
            told = dropped(*lost)
            return (
                told if source is None else Message({**told.fields, "source": source})
            )
        queues = [queue for queue in (self._predictions, self._others) if queue]
        if not queues:
            return None
        return min(queues, key=lambda queue: queue[0][0]).popleft()[1]

    def failed(self, message: Message) -> None:
        """It was taken, but did not arrive: it is first again, or dropped."""
        if message.type == "dropped":
            first, last = message.fields["from_seq"], message.fields["to_seq"]
            self._add_lost(message, message.fields["count"], first, last)
        elif message.type == "prediction":
            self.drop(message)
        else:
            self._others.appendleft((0, message))

    def leave(self) -> None:
        """The broker has gone: what is only worth something now is dropped."""
        self.away = True
        for _, message in self._predictions:
            self.drop(message)
        self._predictions.clear()

    def drop(self, message: Message) -> None:
        """It will not be delivered: count it, if it is an event."""
        seq = message.fields.get("seq")
        if seq is not None:
            self.dropped += 1
            self._add_lost(message, 1, seq, seq)

    def _add_lost(self, message: Message, count: int, first: int, last: int) -> None:
        source = message.fields.get("source")
        so_far, begin, end = self._lost.get(source, (0, first, last))
        self._lost[source] = so_far + count, min(begin, first), max(end, last)
