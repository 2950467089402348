"""Bytes of a connection <-> lines; without a socket, so for all ways of waiting alike.

The WebSocket side is `websockets`' own protocol object, without its threads and tasks:
one way to read, to wait and to give up serves every kind of address.
"""

import errno
import os
from collections import deque

from ser_stream.client.errors import AccessError, ProtocolError, UnreachableError
from ser_stream.errors import MissingLibraryError
from ser_stream.protocol.address import Address

MAX_LINE = 16 * 1024
"""Bytes, with the line's end."""
AUDIO_MESSAGE = 64 * 1024
"""Bytes of audio in one message of a WebSocket."""


class LineFraming:
    """Both directions of one connection; lines end with a newline: unix and TCP."""

    def __init__(self) -> None:
        self._received = b""
        self._outgoing = b""

    def send(self, line: bytes, /) -> None:
        self._outgoing += line + b"\n"

    def send_audio(self, data: bytes, /) -> None:
        """Bytes behind the last line."""
        self._outgoing += data

    def receive(self, data: bytes, /) -> list[bytes]:
        """Take bytes that came; return the lines that are complete.

        Raises:
            ProtocolError: if a line is too long, or this is not what was expected.
            AccessError: if the daemon refuses the connection.
        """
        *lines, self._received = (self._received + data).split(b"\n")
        if max(map(len, (self._received, *lines))) >= MAX_LINE:
            raise ProtocolError(
                f"a line is longer than {MAX_LINE} bytes; whatever listens there is no "
                "ser-stream"
            )
        return lines

    def outgoing(self) -> bytes:
        data, self._outgoing = self._outgoing, b""
        return data


class WebSocketFraming:
    """Each line one text message."""

    def __init__(self, address: Address) -> None:
        """Begin the handshake.

        Raises:
            MissingLibraryError: if the library `websockets` is not installed.
        """
        try:
            from websockets.client import ClientProtocol
            from websockets.frames import Frame, Opcode
            from websockets.protocol import State
            from websockets.uri import parse_uri
        except ImportError:
            raise MissingLibraryError(
                "ws:// addresses need the library websockets; install it by "
                "pip install 'ser-stream[ws]'"
            ) from None
        self._frame, self._states = Frame, State
        self._data = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
        self._protocol = ClientProtocol(parse_uri(str(address)), max_size=MAX_LINE)
        self._protocol.send_request(self._protocol.connect())
        self._waiting: list[bytes] = []
        self._partial = b""

    def send(self, line: bytes, /) -> None:
        """Take a line to be sent, after the handshake; nothing once it is closing."""
        self._waiting.append(line)
        self._send_waiting()

    def send_audio(self, data: bytes, /) -> None:
        """Binary messages; only once the daemon has said something.

        Raises:
            BrokenPipeError: once it is closing, as of a socket.
        """
        if self._protocol.state is not self._states.OPEN:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        for at in range(0, len(data), AUDIO_MESSAGE):
            self._protocol.send_binary(data[at : at + AUDIO_MESSAGE])

    def _send_waiting(self) -> None:
        if self._protocol.state is self._states.OPEN:
            for line in self._waiting:
                self._protocol.send_text(line)
            self._waiting.clear()

    def receive(self, data: bytes, /) -> list[bytes]:
        """As above; an UnreachableError if a proxy cannot reach the daemon."""
        self._protocol.receive_data(data)
        if self._protocol.handshake_exc is not None:
            raise _refused(self._protocol.handshake_exc)
        lines = []
        for event in self._protocol.events_received():
            if isinstance(event, self._frame) and event.opcode in self._data:
                self._partial += event.data
                if event.fin:
                    lines.append(self._partial)
                    self._partial = b""
        if self._protocol.parser_exc is not None:
            raise ProtocolError(f"WebSocket: {self._protocol.parser_exc}")
        self._send_waiting()
        return lines

    def outgoing(self) -> bytes:
        """What must be written now: also answers to the daemon's own pings."""
        return b"".join(self._protocol.data_to_send())


def _refused(error: Exception) -> Exception:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return AccessError(f"the daemon refuses the connection: {error}")
    if status is not None and status >= 500:
        return UnreachableError(f"the daemon is not there: {error}")
    return ProtocolError(f"this is no WebSocket of ser-stream: {error}")


class LineConnection:
    """A connection without its socket: lines to send, lines that came."""

    def __init__(self, address: Address) -> None:
        """Begin.

        Raises:
            MissingLibraryError: if a WebSocket needs a library that is not there.
        """
        self._address = address
        ws = address.kind == "ws"
        self._framing = WebSocketFraming(address) if ws else LineFraming()
        self.lines: deque[bytes] = deque()
        """Received, without their ends."""

    def outgoing(self, *lines: bytes) -> bytes:
        """What must be written now, with these lines."""
        for line in lines:
            self._framing.send(line)
        return self._framing.outgoing()

    def outgoing_audio(self, data: bytes) -> bytes:
        """What must be written now, with this audio behind the lines."""
        self._framing.send_audio(data)
        return self._framing.outgoing()

    def take(self, data: bytes) -> None:
        """Take bytes that came; none means that the other side has gone.

        Raises:
            UnreachableError: if it has.
            ProtocolError: if a line is too long, or this is not what was expected.
            AccessError: if the daemon refuses the connection.
        """
        if not data:
            raise UnreachableError(f"{self._address} closed the connection")
        self.lines += self._framing.receive(data)
