"""Wyoming, the protocol of voice assistants: a line of JSON, further JSON, bytes.

Source: https://github.com/OHF-Voice/wyoming#format. The package's own reader takes
events of any length, and a stranger must not fill the memory. Each message of protocol
1 is an event: its type is the event's, its fields are the data; a refusal is `error`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ser_stream import __version__
from ser_stream.protocol.requests import RequestError

MAX_JSON = 16 * 1024
"""Bytes of the line, and of what follows it."""
MAX_PAYLOAD = 256 * 1024
_VERSION = "1.7.0"
"""Of the protocol that is spoken."""
_TYPE = re.compile(rb'\{"type":"(\w+)"')


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


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


def event_bytes(type: str, data: bytes) -> bytes:
    """An event as it is sent; `data` is a JSON object."""
    header = {"type": type, "version": _VERSION, "data_length": len(data)}
    return json.dumps(header).encode() + b"\n" + data


def from_line(line: bytes) -> bytes | None:
    """A message of protocol 1 as an event; None if it is not told there.

    Args:
        line: with its end.
    """
    found = _TYPE.match(line)
    assert found is not None, line
    if found[1] != b"reply":
        return event_bytes(found[1].decode(), line.rstrip(b"\n"))
    error = json.loads(line).get("error")
    return None if error is None else event_bytes("error", json.dumps(error).encode())


def pong(ping: WyomingEvent) -> bytes:
    """The answer to `ping`."""
    text = ping.data.get("text")
    text = text if isinstance(text, str) else None
    return event_bytes("pong", json.dumps({"text": text}).encode())


def info(model: str, labels: Sequence[str], licence: str) -> bytes:
    """The answer to `describe`.

    Wyoming has no kind of service for emotions: they have a list of their own, built as
    the others.
    """
    services: dict[str, Any] = {kind: [] for kind in SERVICES}
    known = {"installed": True, "attribution": {"name": licence, "url": ""}}
    services["emotion"] = [
        {
            "name": "ser-stream",
            "description": "Emotions of speech",
            "version": __version__,
            "attribution": {"name": "ser-stream", "url": ""},
            "installed": True,
            "models": [{"name": model, "labels": list(labels), **known}],
        }
    ]
    return event_bytes("info", json.dumps(services).encode())


SERVICES = ("asr", "tts", "handle", "intent", "wake", "mic", "snd")
"""The kinds of service that Wyoming knows."""
