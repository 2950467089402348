"""What subscribers may say: bytes -> lines -> requests, whatever the bytes are."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeGuard

from ser_stream.protocol.commands import COMMANDS
from ser_stream.protocol.messages import MAX_LINE

EVENTS = ("prediction", "emotion", "status", "adaptation")
"""The types that `subscribe` chooses from; the others always come."""
Id = str | int | float | None
MAX_ID = 64
"""Characters of an `id`."""
MAX_NAME = 64
"""Characters of a source's name."""
MAX_HISTORY_S = 3600.0
"""Seconds of events that a daemon keeps."""


class RequestError(Exception):
    """A request that is refused; the connection goes on."""

    def __init__(self, code: str, text: str, id: Id = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.id = id


class LineTooLongError(Exception):
    """A line over 16 KiB, or so many bytes without a line's end."""


@dataclass(frozen=True, slots=True)
class Request:
    type: str
    """`subscribe`, `history`, `health`, `ping`, `control` or `auth`."""
    id: Id = None
    fields: Mapping[str, Any] = field(default_factory=dict)


class LineReader:
    """Cuts bytes into lines, however they come; holds 16 KiB and what was just fed."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._searched = 0

    def feed(self, data: bytes | memoryview) -> None:
        self._bytes += data

    def next(self) -> bytes | None:
        """The next line without its end; None if there is no whole one.

        Raises:
            LineTooLongError: if it is over 16 KiB.
        """
        # From where the last search ended: byte by byte must not cost the square.
        end = self._bytes.find(b"\n", self._searched)
        if end < 0 or end >= MAX_LINE:
            self._searched = len(self._bytes)
            if self._searched >= MAX_LINE:
                raise LineTooLongError
            return None
        line = bytes(self._bytes[:end])
        del self._bytes[: end + 1]
        self._searched = 0
        return line

    def rest(self) -> bytes:
        """What is behind the last line; it is no line any more."""
        data = bytes(self._bytes)
        self._bytes.clear()
        self._searched = 0
        return data


def parse_request(line: bytes, checks: "Checks | None" = None) -> Request:
    """Read a line.

    Args:
        line: without its end.
        checks: of the types that are allowed; None for those of subscribers.

    Raises:
        RequestError: with code `bad_json` if it is no JSON object, `bad_message` if it
            lacks what its type needs, `unknown_type` or `unknown_command`.
    """
    fields = _json_object(line)
    id = fields.get("id")
    if not _is_id(id):
        raise RequestError(
            "bad_message", f"id may be a number or at most {MAX_ID} characters of text"
        )
    type = fields.get("type")
    checks = _CHECKS if checks is None else checks
    check = checks.get(type) if isinstance(type, str) else None
    if not isinstance(type, str):
        raise RequestError("bad_message", "the object has no type", id)
    if check is None:
        known = ", ".join(checks)
        text = f"unknown type {type[:MAX_ID]}; allowed are {known}"
        raise RequestError("unknown_type", text, id)
    check(fields, id)
    return Request(type, id, fields)


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RequestError("bad_json", "a line must be one JSON object in UTF-8")
    return value


def _refuse_constant(_text: str) -> NoReturn:
    # NaN and Infinity, which Python reads and JSON does not know.
    raise ValueError


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID
    return value is None or _is_number(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    """What every reader of JSON can hold, and so give back."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= 2**53


def check_only(fields: Mapping[str, Any], id: Id) -> None:
    """Raise a RequestError if `only` is neither null nor a list of events."""
    only = fields.get("only")
    listed = isinstance(only, list) and all(item in EVENTS for item in only)
    if only is not None and not listed:
        text = f"only is null or a list of {', '.join(EVENTS)}"
        raise RequestError("bad_message", text, id)
    sources = fields.get("sources")
    named = isinstance(sources, list) and all(isinstance(n, str) for n in sources)
    if sources is not None and not named:
        raise RequestError("bad_message", "sources is null or a list of names", id)


def _check_history(fields: Mapping[str, Any], id: Id) -> None:
    last_s = fields.get("last_s")
    if not _is_number(last_s) or not 0 < last_s <= MAX_HISTORY_S:
        text = f"history needs last_s, a number of seconds up to {MAX_HISTORY_S:g}"
        raise RequestError("bad_message", text, id)


def _check_control(fields: Mapping[str, Any], id: Id) -> None:
    do = fields.get("do")
    if not isinstance(do, str):
        raise RequestError("bad_message", "control needs do, a text", id)
    if do not in COMMANDS:
        text = f"unknown command {do[:MAX_ID]}; allowed are {', '.join(COMMANDS)}"
        raise RequestError("unknown_command", text, id)
    needed, optional = COMMANDS[do].fields, COMMANDS[do].optional
    for name, kind in {**needed, **optional}.items():
        value = fields.get(name)
        if value is None and name in optional:
            continue
        number = kind is float
        fits = _is_number(value) if number else isinstance(value, str)
        if not fits:
            what = "a number" if number else "a text"
            says = "needs" if name in needed else "may have"
            raise RequestError("bad_message", f"{do} {says} {name}, {what}", id)


def check_auth(fields: Mapping[str, Any], id: Id) -> None:
    """Raise a RequestError if there is no token, right or wrong."""
    if not isinstance(fields.get("token"), str):
        raise RequestError("bad_message", "auth needs token, a text", id)


Checks = Mapping[str, Callable[[Mapping[str, Any], Id], None]]
"""By type of request, what raises a RequestError where a field is missing or wrong."""
_CHECKS: Checks = {
    "subscribe": check_only,
    "ping": lambda _fields, _id: None,
    "control": _check_control,
    "auth": check_auth,
    "history": _check_history,
    "health": lambda _fields, _id: None,
}
