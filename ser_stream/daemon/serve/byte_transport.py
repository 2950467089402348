"""Clients of Unix sockets and TCP: lines up to `open`, then the bytes of the audio.

Where the client ends its side, the audio has ended; it still reads what is told.
"""

import asyncio
from typing import cast

from ser_stream.daemon.serve.sender import Sender
from ser_stream.daemon.serve.senders import Senders
from ser_stream.protocol.requests import LineTooLongError
from ser_stream.sinks.sockets.socket_options import hold_little, is_operator
from ser_stream.sinks.sockets.stream_transport import StreamTransport
from ser_stream.sinks.sockets.subscriber import Subscriber
from ser_stream.sinks.sockets.subscribers import Subscribers

# Shared by all, as that of lines; larger, since audio is more.
BUFFER = memoryview(bytearray(32 * 1024))


class ByteTransport(StreamTransport):
    def _meet(self, subscribers: Subscribers) -> Subscriber:
        hold_little(self._transport)
        self._ended = False
        self._sender = Sender(
            self,
            cast(Senders, subscribers),
            operator=is_operator(self._transport),
        )
        return self._sender

    def get_buffer(self, _sizehint: int) -> memoryview:
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        sender = self._sender
        if sender.ending:
            return
        if sender.opened:
            sender.audio(bytes(BUFFER[:nbytes]))
            self._listen()
        else:
            self._reader.feed(BUFFER[:nbytes])
            self._read_lines()

    def _read_lines(self) -> None:
        sender = self._sender
        try:
            while not (sender.opened or sender.ending):
                line = self._reader.next()
                if line is None:
                    break
                sender.receive(line)
        except LineTooLongError:
            sender.receive_too_long()
        if sender.opened:
            sender.audio(self._reader.rest())
        self._listen()

    def eof_received(self) -> bool:
        self._ended = True
        if not self._sender.opened:
            return False
        self._sender.end_audio()
        return not self._sender.ending

    def _listen(self) -> None:
        sender = self._sender
        # Live audio is taken also from a client that does not read what it is told.
        if self._ended or self._transport.is_closing():
            return
        if sender.full if sender.opened else self.blocked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def more(self) -> None:
        self._listen()

    def end(self, *, linger: bool) -> None:
        super().end(linger=linger and not self._ended)

    def _half_close(self) -> None:
        super()._half_close()
        if self._ended:
            asyncio.get_running_loop().call_soon(self._transport.close)
