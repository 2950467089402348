"""The one loop that owns the sockets: a sink with any number of subscribers."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from ser_stream.errors import MissingLibraryError
from ser_stream.protocol.address import WYOMING, Address
from ser_stream.protocol.messages import Message
from ser_stream.sinks import Server, SinkOptions
from ser_stream.sinks.sockets.backpressure import Backpressure
from ser_stream.sinks.sockets.listeners import Listener, open_listeners
from ser_stream.sinks.sockets.loop_thread import LoopThread, raise_file_limit
from ser_stream.sinks.sockets.socket_options import ACCEPT_AT_ONCE
from ser_stream.sinks.sockets.stream_transport import StreamTransport
from ser_stream.sinks.sockets.subscribers import MORE_BY_UNIX, Subscribers
from ser_stream.sinks.sockets.wyoming_transport import WyomingTransport

if TYPE_CHECKING:
    from ser_stream.sinks.sockets.websocket import WebSocketServer

_LOGGER = logging.getLogger(__name__)
SPARE_FILES = 48 + MORE_BY_UNIX
"""Descriptors that are kept for the microphone, a reload, the log and the rest."""


def open_sink(addresses: Sequence[Address], options: SinkOptions) -> "SocketServer":
    """Serve subscribers on all addresses, and on sockets that were inherited.

    Raises:
        SinkError: if one cannot be used; the message names what to do.
        ConfigError: if the token cannot be read.
        MissingLibraryError: if one is a WebSocket, and the library is not there.
    """
    server = SocketServer(options)
    try:
        server.open(addresses, options.inherited)
    except BaseException:
        server.close()
        raise
    _LOGGER.info("listening on %s", ", ".join(map(str, server.addresses)))
    return server


class SocketServer(Server):
    """Serves subscribers on any number of addresses.

    `send` hands a message to the loop; there it is written to each subscriber that
    takes it, and waits in a bounded queue for each of the others.
    """

    def __init__(
        self, options: SinkOptions | None = None, subscribers: Subscribers | None = None
    ) -> None:
        """Prepare; `open` begins.

        Args:
            subscribers: None for those that the options allow.
            options: if audio is not live, `send` waits for subscribers, at most 5 s for
                any one that takes nothing; else predictions that one does not take in
                time are dropped.
        """
        options = options or SinkOptions()
        self._backpressure = None if options.live else Backpressure()
        self._subscribers = subscribers or Subscribers(
            options.control,
            token=options.token(),
            max_subscribers=options.max_subscribers,
            backpressure=self._backpressure,
        )
        self._origins = tuple(options.origins)
        self._trusted = options.trust_network
        self._loop = LoopThread("sockets")
        self._listeners: list[Listener] = []
        self._servers: list[asyncio.Server | WebSocketServer] = []
        self._closed = False

    # From any thread.

    @property
    def closed(self) -> bool:
        """True after `close`; without subscribers it goes on."""
        return self._closed

    @property
    def subscribers(self) -> dict[str, int]:
        kinds = {listener.address.kind for listener in self._listeners}
        return {kind: self._subscribers.counts[kind] for kind in sorted(kinds)}

    @property
    def dropped(self) -> int:
        return self._subscribers.dropped

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with the ports that the system chose."""
        return [listener.address for listener in self._listeners]

    def open(
        self,
        addresses: Sequence[Address],
        inherited: Sequence[socket.socket] = (),
    ) -> None:
        """Listen on all of them, or on none; then serve.

        Raises:
            SinkError: if one cannot be used; the message names what to do.
            MissingLibraryError: if one is a WebSocket, and the library is not there.
        """
        if any(address.kind == "ws" for address in addresses):
            load_websocket()
        wanted = self._subscribers.max_subscribers
        self._subscribers.limit_files(raise_file_limit() - SPARE_FILES)
        self._tell_if_too_many(wanted)
        self._listeners = open_listeners(
            addresses,
            inherited,
            guarded=self._subscribers.token is not None,
            trusted=self._trusted,
        )
        self._loop.start()
        self._loop.run(self._serve())

    def _tell_if_too_many(self, wanted: int) -> None:
        """Say in the log where open files do not suffice for so many."""
        most = self._subscribers.most_by_files
        if most < wanted:
            _LOGGER.warning(
                "at most %d %s: the system allows no more open files "
                "(ulimit -n, LimitNOFILE=)",
                most,
                self._subscribers.called,
            )

    def send(self, message: Message, /) -> None:
        """Send to all subscribers; waits for them only if the audio is not live."""
        if self._closed or not self._loop.started:
            return
        if self._backpressure is not None:
            self._backpressure.enter()
        if self._subscribers.hand_over(message):
            self._loop.call(self._subscribers.catch_up)

    def stop_waiting(self) -> None:
        if self._backpressure is not None:
            self._backpressure.stop_waiting()

    def close(self) -> None:
        """Send `bye` where that was not sent, and give subscribers 2 s to take it.

        If the audio is not live, it waits for subscribers that still take something,
        until `stop_waiting`.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._loop.started:
                self._loop.run(self._part())
        finally:
            self._loop.stop()

    # In the loop's thread.

    async def _serve(self) -> None:
        for listener in self._listeners:
            for listening in listener.sockets:
                self._servers.append(await self._server(listener.address, listening))
                # The system may keep more waiting than we accept at once.
                listening.listen(socket.SOMAXCONN)

    async def _server(
        self, address: Address, listening: socket.socket
    ) -> "asyncio.Server | WebSocketServer":
        if address.kind == "ws":
            server = self._websocket_server(address)
            await server.start(listening)
            return server
        return await asyncio.get_running_loop().create_server(
            self._transport(address), sock=listening, backlog=ACCEPT_AT_ONCE
        )

    def _websocket_server(self, address: Address) -> "WebSocketServer":
        server: WebSocketServer = load_websocket().WebSocketServer(
            address, self._subscribers, self._origins
        )
        return server

    def _transport(self, address: Address) -> Callable[[], asyncio.BaseProtocol]:
        """Makes what one connection to another address is served by."""
        kind = WyomingTransport if address.kind in WYOMING else StreamTransport
        return partial(kind, self._subscribers, address.kind)

    async def _part(self) -> None:
        # First accepting ends, and connections just accepted become subscribers. A
        # server that is closed forgets these instead, and leaves them waiting.
        for listener in self._listeners:
            for listening in listener.sockets:
                asyncio.get_running_loop().remove_reader(listening)
        await settle()
        for server in self._servers:
            server.close()
        await self._subscribers.part("shutdown")
        for server in self._servers:
            await server.wait_closed()
        # Last: until then we are the daemon that listens there.
        for listener in self._listeners:
            listener.close()
        await settle()


async def settle() -> None:
    """Let asyncio finish what it has begun: to open a connection, or to close one."""
    for _ in range(3):
        await asyncio.sleep(0)


def load_websocket() -> ModuleType:
    """The module that serves WebSockets.

    Raises:
        MissingLibraryError: if the library is not installed.
    """
    try:
        from ser_stream.sinks.sockets import websocket
    except ImportError:
        raise MissingLibraryError(
            "ws:// addresses need the library websockets, 14 or later; install it by "
            "pip install 'ser-stream[ws]'"
        ) from None
    return websocket
