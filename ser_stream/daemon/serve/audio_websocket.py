"""Clients by WebSocket: text messages are lines, binary ones are audio.

Imported late, as its library.
"""

import asyncio
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from websockets.asyncio import server as library
from websockets.http11 import Request, Response

from ser_stream.daemon.serve.sender import Sender
from ser_stream.daemon.serve.senders import Senders
from ser_stream.sinks.sockets.socket_options import hold_little
from ser_stream.sinks.sockets.subscriber import Subscriber
from ser_stream.sinks.sockets.subscribers import Subscribers
from ser_stream.sinks.sockets.web_files import WebFile, load_files
from ser_stream.sinks.sockets.websocket import WebSocketServer
from ser_stream.sinks.sockets.websocket_transport import Connection, WebSocketTransport

MOST_BYTES = 256 * 1024
"""Of one message of audio."""
_REFUSALS: dict[int, str] = {401: "wrong_token", 403: "origin"}
"""What the handshake's refusals are counted as."""
TWILIO = "/twilio"
"""Where Twilio's messages are understood."""


class AudioConnection(Connection):
    """Takes audio also from a client that does not read what it is told."""

    def pause_writing(self) -> None:
        library.ServerConnection.pause_writing(self)
        self.blocked = True

    def resume_writing(self) -> None:
        library.ServerConnection.resume_writing(self)
        self.blocked = False
        if self.on_resume is not None:
            self.on_resume()


class AudioWebSocket(WebSocketTransport):
    """A client at `/`, which speaks our own protocol."""

    def _meet(self, subscribers: Subscribers) -> Subscriber:
        self._room = asyncio.Event()
        self._sender = Sender(
            self, cast(Senders, subscribers), authorized=self._connection.authorized
        )
        return self._sender

    async def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await super()._take(message)
        elif self._sender.opened:
            self._sender.audio(message)
        elif not self._sender.ending:
            self._sender.refuse(
                "bad_message", "audio came before open; say what you send first"
            )
        await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        # Nothing more is taken from the library, which then reads no more.
        while self._sender.full and not self._sender.ending:
            self._room.clear()
            await self._room.wait()

    def more(self) -> None:
        self._room.set()

    def end(self, *, linger: bool) -> None:
        super().end(linger=linger)
        self._room.set()

    def abort(self) -> None:
        super().abort()
        self._room.set()


class AudioWebSocketServer(WebSocketServer):
    """Accepts them, and serves a page that sends its microphone."""

    PATHS = ("/", TWILIO)
    MOST_BYTES = MOST_BYTES
    CONNECTION = AudioConnection

    def _load_files(self) -> Mapping[str, WebFile]:
        return load_files(__package__)

    def _transport(self, connection: Connection) -> WebSocketTransport:
        assert connection.request is not None
        hold_little(connection.transport)
        if urlsplit(connection.request.path).path == TWILIO:
            from ser_stream.daemon.serve.twilio_websocket import TwilioWebSocket

            return TwilioWebSocket(connection, self._subscribers)
        return AudioWebSocket(connection, self._subscribers)

    def _answer(
        self, connection: library.ServerConnection, request: Request
    ) -> Response | None:
        response = super()._answer(connection, request)
        code = None if response is None else _REFUSALS.get(response.status_code)
        if code is not None:
            cast(Senders, self._subscribers).tally.refused[code] += 1
        return response
