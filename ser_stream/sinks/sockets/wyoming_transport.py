"""Subscribers by the Wyoming protocol: each message is an event.

They may say `describe` and `ping`; all else is for others, and nothing is answered.
"""

from ser_stream.protocol.requests import RequestError
from ser_stream.protocol.wyoming import WyomingReader, from_line, info, pong
from ser_stream.sinks.sockets.stream_transport import BUFFER, StreamTransport
from ser_stream.sinks.sockets.subscriber import Subscriber
from ser_stream.sinks.sockets.subscribers import Subscribers


class WyomingTransport(StreamTransport):
    def _meet(self, subscribers: Subscribers) -> Subscriber:
        self._events = WyomingReader()
        # It knows no token: who listens there was told so.
        return Subscriber(self, subscribers, authorized=True)

    def buffer_updated(self, nbytes: int) -> None:
        if self._subscriber.ending:
            return
        self._events.feed(BUFFER[:nbytes])
        try:
            while (event := self._events.next()) is not None:
                if event.type == "describe":
                    self._describe()
                elif event.type == "ping":
                    super().write(pong(event))
        except RequestError as error:
            self._subscriber.refuse(error.code, error.text)
        self._listen()

    def _describe(self) -> None:
        greeting = self._subscriber.greeting()
        if greeting:
            model = greeting[0].fields["model"]
            super().write(info(model["name"], model["labels"], model["licence"]))

    def write(self, line: bytes, /) -> None:
        event = from_line(line)
        if event is not None:
            super().write(event)
