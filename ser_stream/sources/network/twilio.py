"""Twilio Media Streams: JSON messages of a telephone call -> what they mean.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ser_stream.protocol.requests import RequestError
from ser_stream.sources.decoders.encoding import RawEncoding, RawForm
from ser_stream.sources.network.open_request import MAX_NAME, OpenRequest

ENCODINGS: dict[str, RawEncoding] = {"audio/x-mulaw": "mulaw"}
"""What `mediaFormat` may say."""

RATE = 8000
"""Hertz."""


@dataclass(frozen=True, slots=True)
class Started:
    request: OpenRequest
    token: str
    """Of the parameter `token` of `<Stream>`; empty if there is none."""


class Ended:
    """The call is over, or its stream."""


class TwilioCall:
    """Follows the messages of one stream."""

    def __init__(self) -> None:
        self._track = ""

    def take(self, text: str) -> Started | bytes | Ended | None:
        """One message: the start, audio, the end, or what is not for us.

        Raises:
            RequestError: if it is none of Twilio's.
        """
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("event"), str):
            text = "a message of Twilio is a JSON object with an event"
            raise RequestError("bad_json", text)
        event = message["event"]
        if event == "start":
            return self._start(_object(message, "start"))
        if event == "media":
            return self._media(_object(message, "media"))
        # Of `connected`, `dtmf`, `mark` and what may come, nothing is heard.
        return Ended() if event == "stop" else None

    def _start(self, start: Mapping[str, Any]) -> Started:
        form = _object(start, "mediaFormat")
        encoding = ENCODINGS.get(str(form.get("encoding")))
        rate, channels = form.get("sampleRate"), form.get("channels")
        if encoding is None or (rate, channels) != (RATE, 1):
            text = "mediaFormat is not audio/x-mulaw of 8000 Hz in 1 channel"
            raise RequestError("bad_message", text)
        given = start.get("customParameters")
        parameters = given if isinstance(given, dict) else {}
        tracks = start.get("tracks")
        first = tracks[0] if isinstance(tracks, list) and tracks else "inbound"
        self._track = str(parameters.get("track", first))
        name = str(parameters.get("name") or start.get("callSid") or "")
        # As `open` allows it: what names a stream may become a topic of a broker.
        name = "".join(filter(str.isprintable, name))[:MAX_NAME]
        request = OpenRequest(RawForm(RATE, 1, encoding), name)
        return Started(request, str(parameters.get("token", "")))

    def _media(self, media: Mapping[str, Any]) -> bytes | None:
        # Who is called and who calls come in turns; one of them is heard.
        if media.get("track", self._track) != self._track:
            return None
        try:
            return base64.b64decode(media.get("payload", ""), validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise RequestError("bad_message", "payload is not base64") from None


def _object(message: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = message.get(name)
    if not isinstance(value, dict):
        raise RequestError("bad_message", f"the message has no {name}")
    return value
