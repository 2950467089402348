"""Voice assistants by the Wyoming protocol, over TCP.

They say `describe`, or `audio-start`, `audio-chunk`, `audio-stop`, also several times
on one connection.
"""

from typing import cast

from ser_stream.daemon.serve.byte_transport import BUFFER, ByteTransport
from ser_stream.daemon.serve.sender import Sender
from ser_stream.daemon.serve.senders import Senders
from ser_stream.protocol.messages import bye
from ser_stream.protocol.requests import RequestError
from ser_stream.protocol.wyoming import (
    WyomingEvent,
    WyomingReader,
    from_line,
    info,
    pong,
)
from ser_stream.sinks.sockets.socket_options import hold_little
from ser_stream.sinks.sockets.subscriber import Subscriber, later
from ser_stream.sinks.sockets.subscribers import Subscribers
from ser_stream.sources.decoders.encoding import RawForm
from ser_stream.sources.network.open_request import OpenRequest
from ser_stream.sources.network.wyoming_form import form_of


class WyomingSender(Sender):
    """A client whose connection outlasts its streams."""

    leaving = False
    """Whether it has ended its side of the connection."""

    def _wait_for_open(self) -> None:
        # A client that only asks, or waits for somebody to speak.
        self._watch = later(self._senders.limits.idle_s, self._nothing_came)

    def _nothing_came(self) -> None:
        self._bid_bye("idle")

    def end_audio(self) -> None:
        # What comes then is of the next stream, and waits for the end of this one.
        self.busy = self._stream is not None
        super().end_audio()

    def _over(self, reason: str) -> None:
        if reason != "end" or self.leaving:
            super()._over(reason)
            return
        self.tell(bye("end"))
        assert self._stream is not None
        self._senders.forget(self._stream, "end")
        self._stream = self._open = None
        self.busy = False
        self._cancel_watch()
        self._wait_for_open()
        self._wire.more()


class WyomingTransport(ByteTransport):
    def _meet(self, subscribers: Subscribers) -> Subscriber:
        hold_little(self._transport)
        self._ended = False
        self._senders = cast(Senders, subscribers)
        self._assistant = WyomingSender(self, self._senders, authorized=True)
        self._sender = self._assistant
        self._events = WyomingReader()
        self._form: RawForm | None = None
        return self._sender

    def buffer_updated(self, nbytes: int) -> None:
        if not self._sender.ending:
            self._events.feed(BUFFER[:nbytes])
            self._read_lines()

    def _read_lines(self) -> None:
        sender = self._sender
        try:
            while not (sender.ending or sender.busy or sender.full):
                event = self._events.next()
                if event is None:
                    break
                self._take(event)
        except RequestError as error:
            sender.refuse(error.code, error.text)
        self._listen()

    def more(self) -> None:
        self._read_lines()

    def eof_received(self) -> bool:
        self._assistant.leaving = True
        return super().eof_received()

    def _listen(self) -> None:
        # What is read waits for the end of the stream before.
        if self._sender.busy and not self._transport.is_closing():
            self._transport.pause_reading()
        else:
            super()._listen()

    def _take(self, event: WyomingEvent) -> None:
        if event.type == "describe":
            model = self._senders.model.bundle
            self._answer(info(model.name, model.labels, model.licence))
        elif event.type == "ping":
            self._answer(pong(event))
        elif event.type == "audio-start":
            self._open(form_of(event))
        elif event.type == "audio-chunk":
            # Some begin without a word.
            if not self._sender.opened:
                self._open(form_of(event))
            if form_of(event) != self._form:
                text = "an audio-chunk is not of the form of its audio-start"
                raise RequestError("bad_message", text)
            self._sender.audio(event.payload)
        elif event.type == "audio-stop" and self._sender.opened:
            self._sender.end_audio()

    def _answer(self, data: bytes) -> None:
        # For a client that asks and does not read, answers would pile up.
        if not self.blocked:
            super().write(data)

    def _open(self, form: RawForm) -> None:
        self._sender.open(OpenRequest(form))
        self._form = form

    def write(self, line: bytes, /) -> None:
        event = from_line(line)
        if event is not None:
            super().write(event)
