"""Requests to a running daemon: `status`, `pause`, `reload`, `adapt.now`, ..."""

import time
from pathlib import Path
from typing import Any

from ser_stream.client.connection import Connection
from ser_stream.client.errors import (
    AccessError,
    NotRunningError,
    RefusedError,
    UnreachableError,
)
from ser_stream.client.lines import decode, encode
from ser_stream.client.subscription import TIMEOUT
from ser_stream.client.where import addresses
from ser_stream.errors import ConfigError
from ser_stream.protocol.address import Address, parse
from ser_stream.protocol.commands import COMMANDS

REQUEST_ID = 1
"""Of the one request on a connection."""


def control(
    do: str,
    socket: str | Path | None = None,
    timeout: float | None = None,
    **fields: str | float | None,
) -> dict[str, Any]:
    """Have a daemon do something; wait until it has.

    Args:
        do: `status`, `pause`, `resume`, `reload`, or `adapt.status`, `adapt.now`, ...;
            docs/protocol.md has them all.
        socket: path of its Unix socket, or `unix:///PATH`; None for that of the user's
            daemon, or else of the system's.
        timeout: seconds for everything; None for as long as the command may take, 10
            for `status` and 60 for the others.
        fields: what else the request says, as `label` and `last_s` of
            `speakers.teach`; None says nothing.

    Returns:
        The result; docs/protocol.md has the fields of `status`.

    Raises:
        NotRunningError: if no daemon listens there.
        RefusedError: if it refuses, with its code and text.
        AccessError: if the socket belongs to another user.
        ConfigError: if the address is not that of a Unix socket.
        UnreachableError: if it does not answer in time, or too many ask already.
        ProtocolError: if the program that listens there is no ser-stream.
    """
    command = COMMANDS.get(do)
    if timeout is None:
        timeout = TIMEOUT if command is None else command.timeout_s
    deadline = time.monotonic() + timeout
    flags = "--adapt " if command is not None and command.adapts else ""
    said = {name: value for name, value in fields.items() if value is not None}
    with _connect(_where(socket), timeout, flags) as connection:
        connection.send(encode({"type": "control", "id": REQUEST_ID, "do": do, **said}))
        reply = receive_reply(connection, deadline)
    if reply is not None:
        return result_of(reply)
    raise UnreachableError(
        f"the daemon did not answer {do} within {timeout:g} s; it may hang: see its log"
    )


def receive_reply(connection: Connection, deadline: float) -> dict[str, Any] | None:
    """The answer to the request `REQUEST_ID`, or a refusal of the connection itself.

    Args:
        connection: on which it was asked.
        deadline: monotonic seconds.

    Returns:
        The `reply`; None if it did not come in time.
    """
    while (left := deadline - time.monotonic()) > 0:
        # The daemon also says hello, and whatever happens meanwhile.
        line = connection.receive(left)
        reply = decode(line) if line is not None else {}
        if _is_answer(reply):
            return reply
    return None


def _where(socket: str | Path | None) -> tuple[Address, ...]:
    if socket is None:
        return addresses(None)
    text = str(socket)
    if ":" in text and not text.startswith("unix:"):
        raise ConfigError(
            f"{socket}: a daemon is controlled over its unix socket alone; allowed: "
            "its path, or unix:///PATH"
        )
    return (parse(text if ":" in text else f"unix://{Path(text).absolute()}"),)


def _connect(where: tuple[Address, ...], timeout: float, flags: str) -> Connection:
    for address in where:
        try:
            return Connection(address, timeout)
        except UnreachableError:
            continue
    tried = " or ".join(address.path for address in where)
    raise NotRunningError(
        f"no daemon listens on {tried}; start one: ser-stream listen {flags}--to "
        f"{where[0]}"
    )


def _is_answer(reply: dict[str, Any]) -> bool:
    if reply.get("type") != "reply":
        return False
    # Without an id, it is the connection that is refused.
    refused = reply.get("id") is None and reply.get("ok") is False
    return refused or reply.get("id") == REQUEST_ID


def result_of(reply: dict[str, Any]) -> dict[str, Any]:
    """What an answer says.

    Raises:
        RefusedError: if it is a refusal, with its code and text.
        AccessError: if it is one of `forbidden`.
        UnreachableError: if too many are connected already.
    """
    if reply.get("ok") is True and isinstance(reply.get("result"), dict):
        return dict(reply["result"])
    error = reply.get("error")
    error = error if isinstance(error, dict) else {}
    code, text = str(error.get("code")), str(error.get("text"))
    if code == "too_many":
        raise UnreachableError(text)
    raise (AccessError if code == "forbidden" else RefusedError)(text, code)
