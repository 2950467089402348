"""A subscriber by WebSocket: each line is one text message. Imported late.

Frames are the library's business; what a subscriber is told and may ask is
`ser_stream.sinks.sockets.subscriber`'s, as everywhere.
"""

import asyncio
import contextlib
from collections.abc import Callable

from websockets.asyncio import server as library
from websockets.exceptions import ConnectionClosed

from ser_stream.protocol.messages import MAX_LINE
from ser_stream.sinks.sockets.socket_options import unsent_bytes
from ser_stream.sinks.sockets.subscriber import Subscriber
from ser_stream.sinks.sockets.subscribers import Subscribers

MOST_UNSENT = 256 * 1024
"""Bytes of answers to pings that a client may leave lying; then it is cut off."""


class Connection(library.ServerConnection):
    """A connection that says when it is blocked.

    A client that does not read is not listened to, and is cut off where that is not
    enough: answers, also the library's own to pings, would pile up without end.
    """

    authorized = False
    """Whether the handshake brought the token."""
    blocked = False
    on_resume: Callable[[], None] | None = None
    on_made: Callable[["Connection"], None] | None = None
    on_lost: Callable[["Connection"], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.on_made is not None:
            self.on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.blocked = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.blocked = False
        self.transport.resume_reading()
        if self.on_resume is not None:
            self.on_resume()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # The library listens again whenever its own queue has been emptied, also while
        # we are blocked; and it answers pings however little the client reads. Other
        # answers wait in the subscriber's queue, which is bounded.
        if self.transport.get_write_buffer_size() > MOST_UNSENT:
            self.transport.abort()


class WebSocketTransport:
    kind = "ws"

    def __init__(self, connection: Connection, subscribers: Subscribers) -> None:
        self._connection = connection
        self._subscriber = self._meet(subscribers)
        self._closing: asyncio.Task[None] | None = None
        connection.on_resume = self._subscriber.resume

    def _meet(self, subscribers: Subscribers) -> Subscriber:
        """Who is at the other side."""
        return Subscriber(self, subscribers, authorized=self._connection.authorized)

    async def run(self) -> None:
        self._subscriber.begin()
        try:
            with contextlib.suppress(ConnectionClosed):
                async for message in self._connection:
                    await self._take(message)
        finally:
            self._connection.on_resume = None
            self._subscriber.on_disconnect()
            if self._closing is not None:
                await self._closing

    async def _take(self, message: str | bytes) -> None:
        line = message.encode() if isinstance(message, str) else message
        if len(line) < MAX_LINE:
            self._subscriber.receive(line)
        else:
            self._subscriber.receive_too_long()

    # What the subscriber calls.

    @property
    def blocked(self) -> bool:
        return self._connection.blocked

    def write(self, line: bytes, /) -> None:
        # `send` would have to be awaited; this is the library's way not to.
        library.broadcast([self._connection], line[:-1].decode())

    def unsent(self) -> int:
        return unsent_bytes(self._connection.transport)

    def more(self) -> None:
        """Nothing waits: what takes long is not asked here."""

    def end(self, *, linger: bool) -> None:
        """Close when all is written; the closing handshake lingers anyhow."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._connection.close())

    def abort(self) -> None:
        self._connection.transport.abort()
