"""Telephone calls by Twilio's WebSocket. Imported late, as its library.

Twilio takes no events: they go to the outputs of `serve`. Why a call is refused stands
in the log.
"""

import json
import logging

from ser_stream.daemon.serve.audio_websocket import AudioWebSocket
from ser_stream.log import Every
from ser_stream.protocol.requests import RequestError
from ser_stream.sinks.sockets.subscriber import Subscriber
from ser_stream.sinks.sockets.subscribers import Subscribers
from ser_stream.sources.network.twilio import Ended, Started, TwilioCall

_LOGGER = logging.getLogger(__name__)
_REFUSALS = Every(1.0)


class TwilioWebSocket(AudioWebSocket):
    """A client at `/twilio`."""

    def _meet(self, subscribers: Subscribers) -> Subscriber:
        self._call = TwilioCall()
        return super()._meet(subscribers)

    async def _take(self, message: str | bytes) -> None:
        sender = self._sender
        if sender.ending:
            return
        try:
            if isinstance(message, bytes):
                raise RequestError("bad_message", "Twilio's messages are text")
            found = self._call.take(message)
            if isinstance(found, Started):
                self._start(found)
            elif isinstance(found, Ended):
                sender.end_audio()
            elif found is not None:
                sender.audio(found)
        except RequestError as error:
            sender.refuse(error.code, error.text)
        await self._wait_for_room()

    def _start(self, started: Started) -> None:
        if not self._sender.authorized:
            auth = {"type": "auth", "token": started.token}
            self._sender.receive(json.dumps(auth).encode())
        if not self._sender.ending:
            self._sender.open(started.request)

    def write(self, line: bytes, /) -> None:
        """Twilio would take it for a fault."""
        if line.startswith(b'{"type":"reply"') and b'"ok":false' in line:
            text = line.decode().strip()
            _REFUSALS.log(_LOGGER, logging.WARNING, "a call is refused: %s", text)
