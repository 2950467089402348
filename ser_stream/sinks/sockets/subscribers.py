"""All subscribers of one stream, whatever they are connected by.

Everything but `hand_over` runs in the thread of the server's loop; others may read the
numbers.
"""

import asyncio
import hmac
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Any

from ser_stream.protocol.messages import Message
from ser_stream.sinks.sockets.backpressure import Backpressure
from ser_stream.sinks.sockets.control_request import Control
from ser_stream.sinks.sockets.history import History
from ser_stream.sinks.sockets.snapshot import Snapshots
from ser_stream.sinks.sockets.subscriber import Subscriber

MAX_SUBSCRIBERS = 2000
MORE_BY_UNIX = 16
"""Further ones on Unix sockets, so that `status` can be asked when all is full."""
MOST_UNDERWAY = 32
"""Messages that may wait while nobody listens."""
MAX_STRANGERS = 200
"""Connections whose token has not come yet."""


class Subscribers:
    """Who is connected, what they may do, and what a new one is sent."""

    def __init__(
        self,
        control: Control | None = None,
        *,
        token: str | None = None,
        max_subscribers: int = MAX_SUBSCRIBERS,
        backpressure: Backpressure | None = None,
        called: str = "subscribers",
    ) -> None:
        """Begin without any.

        Args:
            control: carries out what is asked on Unix sockets.
            token: what the others must know.
            max_subscribers: at once.
            backpressure: holds the audio up for those that are slow.
            called: what one too many is told they are.
        """
        self.control = control
        self.called = called
        self.token = token
        self.max_subscribers = max_subscribers
        self.most_by_files = max_subscribers
        """As many as the system's limit on open files allows; known from `limit_files`
        on."""
        self.max_strangers = MAX_STRANGERS
        self.dropped = 0
        self._backpressure = backpressure
        self._snapshots = Snapshots()
        self.history = History()
        self._underway: deque[Message] = deque()
        self._awaited = backpressure is not None
        self._members: set[Subscriber] = set()
        self._strangers: dict[Subscriber, None] = {}
        self._refused: set[Subscriber] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.counts: Counter[str] = Counter()

    @property
    def may_wait(self) -> bool:
        """Whether the end may wait for subscribers that still read."""
        return self._backpressure is not None and self._backpressure.waits

    def limit_files(self, files: int) -> None:
        """Have no more connections than so many open files allow."""
        if self.token is not None:
            self.max_strangers = max(1, min(MAX_STRANGERS, files // 4))
            files -= self.max_strangers
        self.most_by_files = max(1, files)
        self.max_subscribers = min(self.max_subscribers, self.most_by_files)

    @property
    def max_beginning(self) -> int:
        """WebSockets that may be in their handshake; see `max_strangers`."""
        return max(1, self.max_strangers // 4)

    def await_auth(self, stranger: Subscriber) -> None:
        """Note a connection that has yet to show the token."""
        self._empty.clear()
        if len(self._strangers) >= self.max_strangers:
            # The oldest: a client that knows the token does not take long.
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            self._refused.add(oldest)
            oldest.cut_short()
        self._strangers[stranger] = None

    def has_room_for(self, subscriber: Subscriber) -> bool:
        """Whether one more of its kind may join."""
        more = MORE_BY_UNIX if subscriber.kind == "unix" else 0
        return len(self._members) < self.max_subscribers + more

    def no_room_for(self, _subscriber: Subscriber) -> str:
        """What one that may not join is told."""
        return f"there are {self.max_subscribers} {self.called} already"

    def join(self, subscriber: Subscriber) -> bool:
        """Count a subscriber in; False if there are too many."""
        self._empty.clear()
        self._strangers.pop(subscriber, None)
        if not self.has_room_for(subscriber):
            self._refused.add(subscriber)
            return False
        # In this order: what is handed over from now on is delivered at once, and what
        # was before comes before the greeting.
        self._awaited = True
        self.catch_up()
        self._members.add(subscriber)
        self.counts[subscriber.kind] += 1
        return True

    def leave(self, subscriber: Subscriber) -> None:
        self._strangers.pop(subscriber, None)
        self._refused.discard(subscriber)
        if subscriber in self._members:
            self._members.remove(subscriber)
            self.counts[subscriber.kind] -= 1
            self._awaited = bool(self._members) or self._backpressure is not None
        self.watch(subscriber)
        if not (self._members or self._strangers or self._refused):
            self._empty.set()

    def admits(self, token: str) -> bool:
        """Whether this is the token; takes equally long for any other."""
        # In bytes: `compare_digest` takes only ASCII as text.
        right = (self.token or "").encode(errors="surrogatepass")
        return hmac.compare_digest(token.encode(errors="surrogatepass"), right)

    @property
    def sources(self) -> list[str]:
        """The names of the streams that have begun; of a single one, empty."""
        return self._snapshots.sources

    def greeting(self, source: str) -> list[Message]:
        """How a stream stands after what was delivered last."""
        return self._snapshots.greeting(source)

    def hand_over(self, message: Message) -> bool:
        """Take a message, from any thread; whether `catch_up` is to be called now.

        While nobody listens, not for each: to wake a thread costs more than the rest.
        """
        if self._awaited:
            message.line  # noqa: B018  encoded here, once for all
        self._underway.append(message)
        return self._awaited or len(self._underway) >= MOST_UNDERWAY

    def catch_up(self) -> None:
        """Deliver what was handed over."""
        while self._underway:
            if self._backpressure is not None:
                self._backpressure.passed()
            self._deliver(self._underway.popleft())

    def _deliver(self, message: Message) -> None:
        self._snapshots.follow(message)
        self.history.follow(message)
        for subscriber in tuple(self._members):
            subscriber.deliver(message)

    def health(self) -> dict[str, Any]:
        """What no event tells: who listens, and what was too fast for them."""
        return {
            "subscribers": {kind: n for kind, n in self.counts.items() if n},
            "dropped": self.dropped,
        }

    def watch(self, subscriber: Subscriber) -> None:
        if self._backpressure is not None:
            self._backpressure.watch(subscriber)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out a request while others go on."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def part(self, reason: str) -> None:
        """Send `bye` where it was not sent, and wait until all have disconnected."""
        self.catch_up()
        for subscriber in (*self._members, *self._strangers):
            subscriber.finish(reason)
        await self._empty.wait()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
