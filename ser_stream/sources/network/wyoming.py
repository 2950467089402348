"""Wyoming: a line of JSON, further JSON, bytes -> events of a voice assistant.

Source: https://github.com/OHF-Voice/wyoming#format. The package's own reader takes
events of any length, and a stranger must not fill the memory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ser_stream.protocol.requests import RequestError
from ser_stream.sources.decoders.encoding import RawEncoding, RawForm
from ser_stream.sources.network.open_request import (
    OpenRequest,
    check_open,
    open_request,
)

MAX_JSON = 16 * 1024
"""Bytes of the line, and of what follows it."""
MAX_PAYLOAD = 256 * 1024
ENCODINGS: Final[dict[int, RawEncoding]] = {2: "s16", 3: "s24", 4: "s32"}
"""By `width`, bytes of a sample."""


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""

    def form(self) -> RawForm:
        """What `audio-start` and `audio-chunk` say of the samples.

        Raises:
            RequestError: if that is none that is allowed.
        """
        width = self.data.get("width")
        encoding = ENCODINGS.get(width) if isinstance(width, int) else None
        if encoding is None:
            text = f"{self.type} needs width, bytes of a sample: 2, 3 or 4"
            raise RequestError("bad_message", text)
        fields = {
            "encoding": encoding,
            "rate": self.data.get("rate"),
            "channels": self.data.get("channels"),
        }
        check_open(fields, None)
        request: OpenRequest = open_request(fields, None)
        assert request.raw is not None
        return request.raw


class WyomingReader:
    """Cuts bytes into events, however they come; holds one event."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._searched = 0

    def feed(self, data: bytes | memoryview) -> None:
        self._bytes += data

    def next(self) -> WyomingEvent | None:
        """The next event; None if there is no whole one.

        Raises:
            RequestError: if it is none, or too long; nothing can be read any more.
        """
        end = self._bytes.find(b"\n", self._searched, MAX_JSON)
        if end < 0:
            self._searched = len(self._bytes)
            if len(self._bytes) >= MAX_JSON:
                raise RequestError("bad_json", "the line of an event may have 16 KiB")
            return None
        self._searched = end
        header = _object(self._bytes[:end])
        if not isinstance(header.get("type"), str):
            raise RequestError("bad_message", "an event has no type")
        n_data = _length(header, "data_length", MAX_JSON)
        n_payload = _length(header, "payload_length", MAX_PAYLOAD)
        begin = end + 1
        if len(self._bytes) < begin + n_data + n_payload:
            return None
        data = header.get("data")
        data = data if isinstance(data, dict) else {}
        if n_data:
            data |= _object(self._bytes[begin : begin + n_data])
        payload = bytes(self._bytes[begin + n_data : begin + n_data + n_payload])
        del self._bytes[: begin + n_data + n_payload]
        self._searched = 0
        return WyomingEvent(header["type"], data, payload)


def _object(data: bytearray) -> dict[str, Any]:
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RequestError("bad_json", "an event begins with one JSON object in a line")
    return value


def _length(header: Mapping[str, Any], name: str, most: int) -> int:
    value = header.get(name)
    value = 0 if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise RequestError("bad_message", f"{name} may be 0 to {most}")
    return value
