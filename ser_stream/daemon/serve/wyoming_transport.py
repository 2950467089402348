"""Voice assistants by the Wyoming protocol, over TCP. Imported late, as its library.

They say `describe`, or `audio-start`, `audio-chunk`, `audio-stop`, also several times
on one connection. Each message of protocol 1 that they are told is an event: its type
is the event's, its fields are the data; a refusal is Wyoming's `error`.
"""

import json
import re
from typing import Any, cast

from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Info
from wyoming.ping import Pong
from wyoming.version import __version__ as wyoming_version

from ser_stream import __version__
from ser_stream.daemon.serve.byte_transport import BUFFER, ByteTransport
from ser_stream.daemon.serve.sender import Sender, later
from ser_stream.daemon.serve.senders import Senders
from ser_stream.protocol.messages import bye
from ser_stream.protocol.requests import RequestError
from ser_stream.sinks.sockets.socket_options import hold_little
from ser_stream.sinks.sockets.subscriber import Subscriber
from ser_stream.sinks.sockets.subscribers import Subscribers
from ser_stream.sources.decoders.encoding import RawForm
from ser_stream.sources.network.open_request import OpenRequest
from ser_stream.sources.network.wyoming import WyomingEvent, WyomingReader

_TYPE = re.compile(rb'\{"type":"(\w+)"')


class WyomingSender(Sender):
    """A client whose connection outlasts its streams."""

    leaving = False
    """Whether it has ended its side of the connection."""

    def _wait_for_open(self) -> None:
        # A client that only asks, or waits for somebody to speak.
        self._watch = later(self._senders.limits.idle_s, self._nothing_came)

    def _nothing_came(self) -> None:
        super().finish("idle")

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
        self._senders.forget(self._stream)
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
            self._send(self._info())
        elif event.type == "ping":
            self._send(Pong(event.data.get("text")).event())
        elif event.type == "audio-start":
            self._open(event.form())
        elif event.type == "audio-chunk":
            # Some begin without a word.
            if not self._sender.opened:
                self._open(event.form())
            if event.form() != self._form:
                text = "an audio-chunk is not of the form of its audio-start"
                raise RequestError("bad_message", text)
            self._sender.audio(event.payload)
        elif event.type == "audio-stop" and self._sender.opened:
            self._sender.end_audio()

    def _open(self, form: RawForm) -> None:
        self._sender.open(OpenRequest(form, "wyoming"))
        self._form = form

    def _info(self) -> Event:
        """Wyoming has no place for emotions: they have a list of their own."""
        event = Info().event()
        model = self._senders.model.bundle
        event.data["emotion"] = [
            {
                "name": "ser-stream",
                "description": "Emotions of speech",
                "version": __version__,
                "attribution": {"name": "ser-stream", "url": ""},
                "installed": True,
                "models": [
                    {
                        "name": model.name,
                        "labels": list(model.labels),
                        "attribution": {"name": model.licence, "url": ""},
                        "installed": True,
                    }
                ],
            }
        ]
        return event

    # What it is told.

    def write(self, line: bytes, /) -> None:
        found = _TYPE.match(line)
        assert found is not None, line
        if found[1] == b"reply":
            error = json.loads(line).get("error")
            if error is not None:
                self._send(Error(error["text"], error["code"]).event())
        else:
            self._write(found[1].decode(), line.rstrip(b"\n"))

    def _send(self, event: Event) -> None:
        self._write(event.type, json.dumps(event.data).encode())

    def _write(self, type: str, data: bytes) -> None:
        header: dict[str, Any] = {"type": type, "version": wyoming_version}
        header["data_length"] = len(data)
        super().write(json.dumps(header).encode() + b"\n" + data)
