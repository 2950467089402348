"""Accepts WebSockets, and serves a page to browsers. Imported late, as its library."""

import http
import logging
import socket
import weakref
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio import server as library
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from ser_stream.protocol.address import Address, bracketed
from ser_stream.protocol.messages import MAX_LINE
from ser_stream.sinks.sockets.socket_options import ACCEPT_AT_ONCE, set_options
from ser_stream.sinks.sockets.subscriber import GRACE
from ser_stream.sinks.sockets.subscribers import Subscribers
from ser_stream.sinks.sockets.web_files import WebFile, load_files
from ser_stream.sinks.sockets.websocket_transport import Connection, WebSocketTransport

_HANDSHAKE_LOGGER = logging.getLogger(f"{__name__}.handshake")
# It logs every stranger that sends nonsense, with a traceback.
_HANDSHAKE_LOGGER.setLevel(logging.CRITICAL)
PING_EVERY = 20.0
"""Seconds; keeps the way open through proxies. Pings do not look for slow readers."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class WebSocketServer:
    """Accepts WebSockets on a socket that listens; serves the page to browsers."""

    PATHS: Collection[str] = ("/",)
    """Where a WebSocket can be opened."""
    MOST_BYTES = 4 * MAX_LINE
    """Of one message: what is longer than a line we refuse, and far longer the library.
    """

    CONNECTION: type[Connection] = Connection

    def __init__(
        self, address: Address, subscribers: Subscribers, origins: Sequence[str]
    ) -> None:
        self._subscribers = subscribers
        self._port = address.port
        self._origins = {*origins, *self._pages(address.host)}
        if address.loopback:
            for host in LOOPBACK_HOSTS:
                self._origins |= self._pages(host)
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._beginning: dict[Connection, None] = {}
        """Whose handshake has not come to its end, the oldest first."""
        self._files: Mapping[str, WebFile] = self._load_files()

    def _load_files(self) -> Mapping[str, WebFile]:
        return load_files()

    def _pages(self, host: str) -> set[str]:
        """The origins of our own page, as browsers write them."""
        origin = f"http://{bracketed(host.strip('[]'))}"
        return {f"{origin}:{self._port}", *([origin] if self._port == 80 else [])}

    async def start(self, listening: socket.socket) -> None:
        self._server = await library.serve(
            self._handle,
            sock=listening,
            backlog=ACCEPT_AT_ONCE,
            create_connection=self._connection,  # type: ignore[arg-type]
            process_request=self._answer,
            logger=_HANDSHAKE_LOGGER,
            server_header=None,
            # One line costs the same for all, and no line is worth compressing.
            compression=None,
            max_size=self.MOST_BYTES,
            write_limit=0,
            ping_interval=PING_EVERY,
            ping_timeout=None,
            close_timeout=GRACE,
        )

    def close(self) -> None:
        self._server.close(close_connections=False)

    async def wait_closed(self) -> None:
        """Wait until all have gone; cut those that never came to be subscribers."""
        for connection in self._connections:
            connection.transport.abort()
        await self._server.wait_closed()

    def _connection(self, *arguments: Any, **options: Any) -> Connection:
        connection = self.CONNECTION(*arguments, **options)
        self._connections.add(connection)
        connection.on_made, connection.on_lost = self._begin, self._has_begun
        return connection

    def _begin(self, connection: Connection) -> None:
        if len(self._beginning) >= self._subscribers.max_beginning:
            # The oldest: a client that means it does not take long.
            oldest = next(iter(self._beginning))
            self._has_begun(oldest)
            oldest.transport.abort()
        self._beginning[connection] = None

    def _has_begun(self, connection: Connection) -> None:
        """Or is gone."""
        self._beginning.pop(connection, None)

    async def _handle(self, connection: library.ServerConnection) -> None:
        assert isinstance(connection, Connection)
        self._has_begun(connection)
        set_options(connection.transport)
        await self._transport(connection).run()

    def _transport(self, connection: Connection) -> WebSocketTransport:
        return WebSocketTransport(connection, self._subscribers)

    def _answer(
        self, connection: library.ServerConnection, request: Request
    ) -> Response | None:
        """A file of the page, a refusal, or None to go on with the handshake."""
        path = urlsplit(request.path).path
        file = self._files.get(path)
        if file is None and path not in self.PATHS:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "there is only /\n")
        if "Upgrade" not in request.headers and file is not None:
            return Response(200, "OK", Headers(file.headers), file.body)
        if path not in self.PATHS:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "events are at /\n")
        if any(
            origin not in self._origins | self._pages(connection.local_address[0])
            for origin in request.headers.get_all("Origin")
        ):
            return connection.respond(
                http.HTTPStatus.FORBIDDEN,
                "pages of this origin may not listen; --allow-origin lets them\n",
            )
        return self._check_token(connection, request)

    def _check_token(
        self, connection: library.ServerConnection, request: Request
    ) -> Response | None:
        for value in request.headers.get_all("Authorization"):
            scheme, _, token = value.partition(" ")
            if self._subscribers.token is None:
                break
            if scheme.lower() != "bearer" or not self._subscribers.admits(
                token.strip()
            ):
                text = "wrong_token: Authorization must be Bearer and the right token\n"
                return connection.respond(http.HTTPStatus.UNAUTHORIZED, text)
            assert isinstance(connection, Connection)
            connection.authorized = True
        return None
