"""Sends the past to one subscriber that asked; live messages wait in its queue."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ser_stream.protocol.messages import history
from ser_stream.protocol.requests import Request, RequestError

if TYPE_CHECKING:
    from ser_stream.sinks.sockets.subscriber import Subscriber

BURST = 100
"""Lines that are written before others have their turn."""


class Replay:
    """One request at a time; takes as long as the subscriber does."""

    def __init__(self, subscriber: "Subscriber") -> None:
        self._subscriber = subscriber
        self._asked: Request | None = None
        self._lines: Iterator[bytes] | None = None

    @property
    def active(self) -> bool:
        """Whether lines of the past are on their way."""
        return self._lines is not None

    def ask(self, request: Request) -> None:
        """Take a request of the past.

        Raises:
            RequestError: if one is being answered.
        """
        if self._asked is not None or self.active:
            text = "a history is still on its way; ask again after its last line"
            raise RequestError("refused", text, request.id)
        self._asked = request
        self.begin()

    def begin(self) -> None:
        """Answer what was asked as soon as nothing else is on its way."""
        request, subscriber = self._asked, self._subscriber
        if request is None or not subscriber.sources:
            return
        if subscriber.ending or subscriber.must_wait:
            return
        self._asked = None
        past = subscriber.past(request.fields["last_s"])
        for source in subscriber.sources:
            from_seq, to_seq = past.spans.get(source, (None, None))
            subscriber.tell(history(request.id, from_seq, to_seq, source))
        self._lines = past.lines
        self._later()

    def advance(self) -> bool:
        """Send some of the past; True if none is left."""
        for _ in range(BURST):
            if self._lines is None:
                return True
            if self._subscriber.blocked:
                return False
            line = next(self._lines, None)
            if line is None:
                self._lines = None
            else:
                self._subscriber.write_line(line)
        self._later()
        return False

    def cancel(self) -> None:
        self._lines = self._asked = None

    def _later(self) -> None:
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.active:
            self._subscriber.resume()
