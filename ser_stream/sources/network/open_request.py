"""What a client says before it sends audio: its form, a name, which events it wants.

Or it asks how the server is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.protocol.requests import (
    Checks,
    Id,
    RequestError,
    check_auth,
    check_only,
)
from ser_stream.sources.decoders.encoding import RAW_DTYPES, RawForm

MIN_RATE, MAX_RATE = 4000, 192_000
"""Hertz; what telephones and studios send."""
MAX_CHANNELS = 8
MAX_NAME = 64
"""Characters."""
MAX_LOST_S = 86_400
"""A day."""
OGG = "ogg"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """One stream, as its client wants it."""

    raw: RawForm | None = None
    """The form of bare samples; None for Ogg, which says its own."""
    name: str = ""
    """What it is called in `hello`; empty if the client does not say."""
    only: frozenset[str] | None = None
    """Which events it gets; None for all."""
    id: Id = None
    lost_s: float = 0.0
    """Seconds of audio before it that nobody heard: it moved here."""


def open_request(fields: Mapping[str, Any], id: Id) -> OpenRequest:
    """Read the fields of `open`.

    Raises:
        RequestError: with `bad_message`, and what is allowed.
    """
    only = fields.get("only")
    encoding = fields.get("encoding", "s16")
    raw = None
    if encoding != OGG:
        raw = RawForm(
            fields.get("rate", SAMPLE_RATE), fields.get("channels", 1), encoding
        )
    return OpenRequest(
        raw,
        fields.get("name", ""),
        None if only is None else frozenset(only),
        id,
        float(fields.get("lost_s", 0)),
    )


def check_open(fields: Mapping[str, Any], id: Id) -> None:
    """Raise a RequestError if `open` has a field that is not allowed."""
    encoding = fields.get("encoding", "s16")
    allowed = (*RAW_DTYPES, OGG)
    if encoding not in allowed:
        _refuse(f"encoding is {_shown(encoding)}; allowed: {', '.join(allowed)}", id)
    if encoding == OGG and {"rate", "channels"} & fields.keys():
        _refuse("encoding ogg says its own rate and channels; leave them out", id)
    _check_number("rate", fields.get("rate", SAMPLE_RATE), MIN_RATE, MAX_RATE, id)
    _check_number("channels", fields.get("channels", 1), 1, MAX_CHANNELS, id)
    name = fields.get("name", "")
    if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
        _refuse(f"name may be {MAX_NAME} printable characters of text", id)
    lost_s = fields.get("lost_s", 0)
    number = isinstance(lost_s, int | float) and not isinstance(lost_s, bool)
    if not number or not 0 <= lost_s <= MAX_LOST_S:
        _refuse(f"lost_s is {_shown(lost_s)}; allowed: 0 to {MAX_LOST_S} s", id)
    check_only(fields, id)


def check_status(fields: Mapping[str, Any], id: Id) -> None:
    """Raise a RequestError if `control` asks for anything but `status` of all."""
    do = fields.get("do")
    if not isinstance(do, str):
        _refuse("control needs do, a text", id)
    if do != "status":
        text = f"unknown command {_shown(do)}; allowed is status"
        raise RequestError("unknown_command", text, id)
    if fields.get("source") is not None:
        _refuse("status tells of no stream alone; leave source out", id)


def _check_number(name: str, value: object, low: int, high: int, id: Id) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not low <= value <= high:  # type: ignore[operator]
        _refuse(
            f"{name} is {_shown(value)}; allowed: whole numbers, {low} to {high}", id
        )


def _refuse(text: str, id: Id) -> None:
    raise RequestError("bad_message", text, id)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_NAME else text[:MAX_NAME] + "..."


CHECKS: Checks = {
    "auth": check_auth,
    "open": check_open,
    "end": lambda _fields, _id: None,
    "ping": lambda _fields, _id: None,
    "control": check_status,
}
"""What a client that sends audio may say."""
