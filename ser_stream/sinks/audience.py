"""All subscribers of one stream, whatever they are connected by.

Everything here runs in the thread of the hub's loop; others may read the numbers.
"""

import asyncio
import hmac
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from ser_stream.events import Message
from ser_stream.sinks.control_request import Control
from ser_stream.sinks.patience import Patience
from ser_stream.sinks.present import Present
from ser_stream.sinks.subscriber import Subscriber

MAX_SUBSCRIBERS = 2000


class Audience:
    """Who listens, what they may do, and what a newcomer is told."""

    def __init__(
        self,
        control: Control | None = None,
        *,
        token: str | None = None,
        max_subscribers: int = MAX_SUBSCRIBERS,
        patience: Patience | None = None,
    ) -> None:
        self.control = control
        self.token = token
        self.max_subscribers = max_subscribers
        self.dropped = 0
        """Predictions that slow subscribers did not get, since the start."""
        self._patience = patience
        self._present = Present()
        self._begun = False
        self._members: set[Subscriber] = set()
        self._refused: set[Subscriber] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.counts: Counter[str] = Counter()
        """Subscribers by kind of connection."""

    @property
    def patient(self) -> bool:
        """Whether the end may wait for subscribers that still read."""
        return self._patience is not None and self._patience.waits

    def join(self, subscriber: Subscriber) -> bool:
        """Count somebody in; False if there are too many."""
        self._empty.clear()
        if len(self._members) >= self.max_subscribers:
            self._refused.add(subscriber)
            return False
        self._members.add(subscriber)
        self.counts[subscriber.kind] += 1
        return True

    def leave(self, subscriber: Subscriber) -> None:
        """Somebody has gone."""
        self._refused.discard(subscriber)
        if subscriber in self._members:
            self._members.remove(subscriber)
            self.counts[subscriber.kind] -= 1
        self.watch(subscriber)
        if not self._members and not self._refused:
            self._empty.set()

    def admits(self, token: str) -> bool:
        """Whether this is the token; takes equally long for any other."""
        # In bytes: `compare_digest` takes only ASCII as text.
        right = (self.token or "").encode(errors="surrogatepass")
        return hmac.compare_digest(token.encode(errors="surrogatepass"), right)

    def greeting(self) -> list[Message]:
        """How things stand after what was delivered last; empty before the start."""
        return self._present.greeting() if self._begun else []

    def deliver(self, message: Message) -> None:
        """Tell everybody."""
        self._present.follow(message)
        self._begun |= message.type == "snapshot"
        for subscriber in tuple(self._members):
            subscriber.deliver(message)

    def watch(self, subscriber: Subscriber) -> None:
        """How far somebody is behind has changed."""
        if self._patience is not None:
            self._patience.watch(subscriber)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out a request while others go on."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def part(self, reason: str) -> None:
        """Say `bye` to all who have not heard it, and wait until they have gone."""
        for subscriber in tuple(self._members):
            subscriber.finish(reason)
        await self._empty.wait()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
