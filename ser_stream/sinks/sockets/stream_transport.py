"""Subscribers of Unix sockets and TCP: lines on a stream of bytes."""

import asyncio
from typing import cast

from ser_stream.protocol.requests import LineReader, LineTooLongError
from ser_stream.sinks.sockets.socket_options import set_options, unsent_bytes
from ser_stream.sinks.sockets.subscriber import Subscriber
from ser_stream.sinks.sockets.subscribers import Subscribers

# Shared by all: it is emptied before the loop turns to another connection. Small, so
# that a subscriber that pours lines in takes its turn like the others.
BUFFER = memoryview(bytearray(4096))


class StreamTransport(asyncio.BufferedProtocol):
    def __init__(self, subscribers: Subscribers, kind: str) -> None:
        self._subscribers = subscribers
        self._reader = LineReader()
        self.kind = kind
        self.blocked = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # What the system does not take at once stays with us, and can be dropped.
        self._transport.set_write_buffer_limits(high=0)
        set_options(self._transport)
        self._subscriber = self._meet(self._subscribers)
        self._subscriber.begin()

    def _meet(self, subscribers: Subscribers) -> Subscriber:
        """Who is at the other side."""
        return Subscriber(self, subscribers)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        if not self._subscriber.ending:
            self._reader.feed(BUFFER[:nbytes])
            self._read_lines()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        self._subscriber.on_disconnect()

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        self._subscriber.resume()
        self._listen()

    def _read_lines(self) -> None:
        try:
            while not self._subscriber.busy and not self._subscriber.ending:
                line = self._reader.next()
                if line is None:
                    break
                self._subscriber.receive(line)
        except LineTooLongError:
            self._subscriber.receive_too_long()
        self._listen()

    def _listen(self) -> None:
        # A subscriber that does not read may not ask: answers would pile up.
        if self.blocked or self._subscriber.busy:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    # What the subscriber calls.

    def write(self, line: bytes, /) -> None:
        if not self._transport.is_closing():
            self._transport.write(line)

    def unsent(self) -> int:
        return unsent_bytes(self._transport)

    def more(self) -> None:
        self._read_lines()

    def end(self, *, linger: bool) -> None:
        # Not at once: asyncio does not expect it from within `resume_writing`.
        end = self._half_close if linger else self._transport.close
        asyncio.get_running_loop().call_soon(end)

    def _half_close(self) -> None:
        # Closed with something unread, a connection is reset, and what we wrote last
        # might be lost: so first only our side is, and the rest of theirs is skipped.
        if self._transport.is_closing():
            return
        try:
            self._transport.write_eof()
        except OSError:
            # They have cut the connection just now, and read nothing any more.
            self._transport.abort()
        else:
            self._listen()

    def abort(self) -> None:
        self._transport.abort()
