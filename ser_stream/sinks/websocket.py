"""Subscribers by WebSocket: each line is one text message. Imported late.

The same port serves a page for browsers. Messages are the library's business; what a
subscriber is told and may ask is `ser_stream.sinks.subscriber`'s, as everywhere.
"""

import asyncio
import contextlib
import http
import logging
import socket
import weakref
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio import server as library
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ser_stream.events import MAX_LINE
from ser_stream.sinks.address import Address, bracketed
from ser_stream.sinks.audience import Audience
from ser_stream.sinks.socket_options import set_options, unsent_bytes
from ser_stream.sinks.subscriber import GRACE, Subscriber

_LIBRARY_LOGGER = logging.getLogger(f"{__name__}.library")
# It logs every stranger that sends nonsense, with a traceback.
_LIBRARY_LOGGER.setLevel(logging.CRITICAL)
PING_EVERY = 20.0
"""Seconds; keeps the way open through proxies. Who is slow is no business of pings."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
PAGE_HEADERS = {
    "Connection": "close",
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; connect-src ws: wss:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


class Connection(library.ServerConnection):
    """A connection that says when it is blocked.

    And one that does not listen to whoever does not read: answers, also the library's
    own to pings, would pile up without end.
    """

    authorized = False
    """Whether the handshake brought the token."""
    blocked = False
    on_resume: Callable[[], None] | None = None

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


class WebSocketWire:
    """One connection, as its subscriber sees it."""

    kind = "ws"

    def __init__(self, connection: Connection, audience: Audience) -> None:
        self._connection = connection
        self._subscriber = Subscriber(self, audience, authorized=connection.authorized)
        self._closing: asyncio.Task[None] | None = None
        connection.on_resume = self._subscriber.resume

    async def run(self) -> None:
        """Serve it until it is closed."""
        self._subscriber.begin()
        try:
            with contextlib.suppress(ConnectionClosed):
                async for text in self._connection:
                    line = text.encode() if isinstance(text, str) else text
                    if len(line) < MAX_LINE:
                        self._subscriber.hear(line)
                    else:
                        self._subscriber.hear_too_much()
        finally:
            self._connection.on_resume = None
            self._subscriber.gone()
            if self._closing is not None:
                await self._closing

    # What the subscriber calls.

    @property
    def blocked(self) -> bool:
        """True while the other side takes nothing."""
        return self._connection.blocked

    def write(self, line: bytes, /) -> None:
        """Send one line; only when not blocked."""
        # `send` would have to be awaited; this is the library's way not to.
        library.broadcast([self._connection], line[:-1].decode())

    def unsent(self) -> int:
        """Bytes that the other side has not taken yet, as far as the system knows."""
        return unsent_bytes(self._connection.transport)

    def more(self) -> None:
        """Nothing waits: what takes long is not asked here."""

    def end(self, *, linger: bool) -> None:
        """Close when all is written; the closing handshake lingers anyhow."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._connection.close())

    def abort(self) -> None:
        """Cut the connection."""
        self._connection.transport.abort()


class WebSocketServer:
    """Accepts WebSockets on a socket that listens; serves the page to browsers."""

    def __init__(
        self, address: Address, audience: Audience, origins: Sequence[str]
    ) -> None:
        self._audience = audience
        self._port = address.port
        self._origins = {*origins, *self._pages(address.host)}
        if address.loopback:
            for host in LOOPBACK_HOSTS:
                self._origins |= self._pages(host)
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._page = files("ser_stream.sinks").joinpath("page.html").read_bytes()

    def _pages(self, host: str) -> set[str]:
        """The origins of our own page, as browsers write them."""
        origin = f"http://{bracketed(host.strip('[]'))}"
        return {f"{origin}:{self._port}", *([origin] if self._port == 80 else [])}

    async def serve(self, listening: socket.socket) -> None:
        """Begin."""
        self._server = await library.serve(
            self._handle,
            sock=listening,
            backlog=socket.SOMAXCONN,
            create_connection=self._connection,  # type: ignore[arg-type]
            process_request=self._answer,
            logger=_LIBRARY_LOGGER,
            server_header=None,
            # One line costs the same for all, and no line is worth compressing.
            compression=None,
            # What is longer than a line is refused by us, and far longer by it.
            max_size=4 * MAX_LINE,
            write_limit=0,
            ping_interval=PING_EVERY,
            ping_timeout=None,
            close_timeout=GRACE,
        )

    def close(self) -> None:
        """Accept no more."""
        self._server.close(close_connections=False)

    async def wait_closed(self) -> None:
        """Wait until all have gone; cut those that never came to be subscribers."""
        for connection in self._connections:
            connection.transport.abort()
        await self._server.wait_closed()

    def _connection(self, *arguments: Any, **options: Any) -> Connection:
        connection = Connection(*arguments, **options)
        self._connections.add(connection)
        return connection

    async def _handle(self, connection: library.ServerConnection) -> None:
        assert isinstance(connection, Connection)
        set_options(connection.transport)
        await WebSocketWire(connection, self._audience).run()

    def _answer(
        self, connection: library.ServerConnection, request: Request
    ) -> Response | None:
        """The page, a refusal, or None to go on with the handshake."""
        if urlsplit(request.path).path != "/":
            return connection.respond(http.HTTPStatus.NOT_FOUND, "only / is here\n")
        if "Upgrade" not in request.headers:
            headers = Headers(PAGE_HEADERS | {"Content-Length": str(len(self._page))})
            return Response(200, "OK", headers, self._page)
        if any(
            origin not in self._origins | self._pages(connection.local_address[0])
            for origin in request.headers.get_all("Origin")
        ):
            return connection.respond(
                http.HTTPStatus.FORBIDDEN,
                "pages of this origin may not listen; see the setting origins\n",
            )
        return self._check_token(connection, request)

    def _check_token(
        self, connection: library.ServerConnection, request: Request
    ) -> Response | None:
        for value in request.headers.get_all("Authorization"):
            scheme, _, token = value.partition(" ")
            if self._audience.token is None:
                break
            if scheme.lower() != "bearer" or not self._audience.admits(token.strip()):
                text = "wrong_token: Authorization must be Bearer and the right token\n"
                return connection.respond(http.HTTPStatus.UNAUTHORIZED, text)
            assert isinstance(connection, Connection)
            connection.authorized = True
        return None
