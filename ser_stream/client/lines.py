"""Lines <-> messages."""

import json
from typing import Any, cast, get_args

from ser_stream.client.errors import ProtocolError
from ser_stream.client.messages import PROTOCOL, Audio, Message, Model

MESSAGES: dict[str, type] = {
    get_args(kind.__annotations__["type"])[0]: kind for kind in get_args(Message)
}
"""What a daemon says, by the messages' `type`."""


def encode(fields: dict[str, Any]) -> bytes:
    """A message to the daemon, without the line's end."""
    return json.dumps(fields, separators=(",", ":")).encode()


def decode(line: bytes) -> dict[str, Any]:
    """One line -> its fields.

    Raises:
        ProtocolError: if it is no JSON object with a `type`.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise ProtocolError(f"this is no line of the protocol: {_shown(line)}")
    return fields


def as_message(fields: dict[str, Any]) -> Message | None:
    """Fields -> the same as a typed message; None for a type this version lacks.

    Raises:
        ProtocolError: if a field is missing, or `hello` is of another protocol.
    """
    kind = MESSAGES.get(fields["type"])
    if kind is None:
        return None
    if fields["type"] == "hello" and fields.get("protocol") != PROTOCOL:
        raise ProtocolError(
            f"it speaks protocol {fields.get('protocol')}, and this client only "
            f"{PROTOCOL}; install the same version of ser-stream on both sides"
        )
    _require(kind, fields, fields["type"])
    if fields["type"] == "hello":
        _require(Model, fields["model"], "hello.model")
        _require(Audio, fields["audio"], "hello.audio")
    return cast(Message, fields)


def _require(kind: Any, fields: object, name: str) -> None:
    keys: frozenset[str] = kind.__required_keys__
    missing = keys - fields.keys() if isinstance(fields, dict) else keys
    if missing:
        raise ProtocolError(f"a {name} line lacks {', '.join(sorted(missing))}")


def _shown(line: bytes) -> str:
    text = line[:60].decode(errors="replace")
    return repr(text) + ("..." if len(line) > 60 else "")
