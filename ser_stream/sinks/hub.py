"""The one loop that owns the sockets, in a thread of its own."""

import asyncio
import concurrent.futures
import logging
import resource
import socket
import threading
import time
from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any, Protocol

from ser_stream.errors import MissingLibraryError
from ser_stream.events import Message
from ser_stream.sinks.address import Address
from ser_stream.sinks.audience import Audience
from ser_stream.sinks.listeners import Listener, open_listeners
from ser_stream.sinks.patience import Patience
from ser_stream.sinks.stream import StreamWire
from ser_stream.sinks.subscriber import Control

_LOGGER = logging.getLogger(__name__)
MAX_SUBSCRIBERS = 2000
MOST_FILES = 65_536
"""Open files that we ask the system for; some allow a billion, and programs that we
start would look at each."""
COMPLAINT_EVERY = 10.0
"""Seconds between two complaints of the loop in the log."""


class Server(Protocol):
    """What accepts connections."""

    def close(self) -> None:
        """Accept no more."""

    async def wait_closed(self) -> None:
        """Wait until nobody is connected."""


class Hub:
    """A sink with any number of subscribers, on any number of addresses.

    `send` hands a message to the loop; there it is written to whoever takes it, and
    waits in a bounded backlog for each of the others.
    """

    def __init__(
        self,
        control: Control | None = None,
        *,
        live: bool = True,
        token: str | None = None,
        origins: Sequence[str] = (),
        max_subscribers: int = MAX_SUBSCRIBERS,
    ) -> None:
        """Prepare; `open` begins.

        Args:
            control: carries out what is asked on a unix socket, in the loop's thread.
            live: False lets `send` wait for subscribers, at most 5 s for any one that
                takes nothing; True drops predictions that one does not take in time.
            token: what subscribers by TCP and WebSocket must know.
            origins: pages besides our own that may open a WebSocket, `https://HOST`.
            max_subscribers: further ones are refused.
        """
        self._patience = None if live else Patience()
        self._audience = Audience(
            control,
            token=token,
            max_subscribers=max_subscribers,
            patience=self._patience,
        )
        self._origins = tuple(origins)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(Complaints())
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="sockets", daemon=True
        )
        self._listeners: list[Listener] = []
        self._servers: list[Server] = []
        self._closed = False

    # From any thread.

    @property
    def closed(self) -> bool:
        """True after `close`; that nobody listens now is no reason to end."""
        return self._closed

    @property
    def subscribers(self) -> dict[str, int]:
        """How many there are, by kind of connection."""
        kinds = {listener.address.kind for listener in self._listeners}
        return {kind: self._audience.counts[kind] for kind in sorted(kinds)}

    @property
    def dropped(self) -> int:
        """Predictions that slow subscribers did not get, since the start."""
        return self._audience.dropped

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

        Args:
            addresses: without `stdout:`.
            inherited: sockets that listen already, from systemd.

        Raises:
            SinkError: if one cannot be used; the message names what to do.
            MissingLibraryError: if one is a WebSocket, and the library is not there.
        """
        raise_file_limit()
        if any(address.kind == "ws" for address in addresses):
            load_websocket()
        self._listeners = open_listeners(
            addresses, inherited, guarded=self._audience.token is not None
        )
        self._thread.start()
        self._in_loop(self._serve()).result()

    def send(self, message: Message, /) -> None:
        """Tell all subscribers; waits for them only if the audio is not live."""
        if self._closed:
            return
        message.line  # noqa: B018  encoded here, once for all
        if self._patience is not None:
            self._patience.enter()
        self._loop.call_soon_threadsafe(self._deliver, message)

    def hurry(self) -> None:
        """A stop was asked for: wait for nobody; safe from a signal handler."""
        if self._patience is not None:
            self._patience.hurry()

    def close(self) -> None:
        """Say `bye` where that was not said, and give subscribers 2 s to take it."""
        if self._closed:
            return
        self._closed = True
        if self._thread.is_alive():
            try:
                self._in_loop(self._part()).result()
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
        self._loop.close()

    # In the loop's thread.

    def _in_loop(self, work: Any) -> "concurrent.futures.Future[None]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _deliver(self, message: Message) -> None:
        if self._patience is not None:
            self._patience.passed()
        self._audience.deliver(message)

    async def _serve(self) -> None:
        for listener in self._listeners:
            kind = listener.address.kind
            for listening in listener.sockets:
                if kind == "ws":
                    server = load_websocket().WebSocketServer(
                        listener.address, self._audience, self._origins
                    )
                    await server.serve(listening)
                    self._servers.append(server)
                else:
                    wire = partial(StreamWire, self._audience, kind)
                    self._servers.append(
                        await self._loop.create_server(
                            wire, sock=listening, backlog=socket.SOMAXCONN
                        )
                    )

    async def _part(self) -> None:
        for server in self._servers:
            server.close()
        await self._audience.part("shutdown")
        for server in self._servers:
            await server.wait_closed()
        # Last: until then we are the daemon that listens there.
        for listener in self._listeners:
            listener.close()
        # What the transports have yet to do to close.
        await asyncio.sleep(0)


def load_websocket() -> ModuleType:
    """The module that serves WebSockets.

    Raises:
        MissingLibraryError: if the library is not installed.
    """
    try:
        from ser_stream.sinks import websocket
    except ImportError:
        raise MissingLibraryError(
            "ws:// addresses need the library websockets, 14 or later; install it by "
            "pip install 'ser-stream[ws]'"
        ) from None
    return websocket


class Complaints:
    """Puts what goes wrong in the loop into the log: a line, and not every second."""

    def __init__(self) -> None:
        self._last = -COMPLAINT_EVERY

    def __call__(
        self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        now = time.monotonic()
        if now - self._last >= COMPLAINT_EVERY:
            self._last = now
            why = context.get("exception")
            _LOGGER.error("%s: %s", context["message"], why)


def raise_file_limit() -> None:
    """Let the system give us as many open files as it may: one for a subscriber."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
