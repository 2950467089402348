"""How a `ser-stream serve` is, over any address at which it takes audio."""

import os
import time
from typing import Any

from ser_stream.client.connection import Connection
from ser_stream.client.control import REQUEST_ID, receive_reply, result_of
from ser_stream.client.errors import NotRunningError, UnreachableError
from ser_stream.client.lines import encode
from ser_stream.client.subscription import TIMEOUT, raise_refusal
from ser_stream.errors import ConfigError
from ser_stream.protocol.access_token import VARIABLE
from ser_stream.protocol.address import NATS, SOCKETS, WYOMING, Address, parse


def serve_status(
    uri: str, token: str | None = None, timeout: float = TIMEOUT
) -> dict[str, Any]:
    """Ask a server how it is.

    Args:
        uri: `tcp://HOST:PORT`, `ws://HOST:PORT` or `unix:///PATH`.
        token: for TCP and WebSocket; else `SER_STREAM_TOKEN` of the environment.
        timeout: seconds for everything.

    Returns:
        The result; docs/serve.md has its fields.

    Raises:
        NotRunningError: if nothing listens there.
        AccessError: if it refuses the token, or is a `listen`, which is asked over its
            unix socket alone.
        RefusedError: if it is a server that cannot tell.
        ConfigError: if the address is none that can be asked.
        UnreachableError: if it does not answer in time, or too many ask already.
        ProtocolError: if the program that listens there is no ser-stream.
        MissingLibraryError: if a `ws://` address needs the extra `ws`.
    """
    deadline = time.monotonic() + timeout
    address = _address(uri)
    token = token or os.environ.get(VARIABLE)
    lines = [encode({"type": "control", "id": REQUEST_ID, "do": "status"})]
    if token and address.kind != "unix":
        lines.insert(0, encode({"type": "auth", "token": token}))
    try:
        connection = Connection(address, timeout)
    except UnreachableError as error:
        raise NotRunningError(
            f"no server answers: {error}; start one: ser-stream serve --listen "
            f"{address}"
        ) from None
    with connection:
        connection.send(*lines)
        reply = receive_reply(connection, deadline)
    if reply is None:
        raise UnreachableError(
            f"{address} did not answer within {timeout:g} s; it may hang: see its log"
        )
    raise_refusal(reply, address, REQUEST_ID)
    return result_of(reply)


def _address(uri: str) -> Address:
    if uri.partition(":")[0] in WYOMING | NATS:
        raise ConfigError(
            f"{uri}: clients send audio there, and status cannot be asked; allowed: "
            f"{', '.join(SOCKETS.values())}. A serve without such an address tells how "
            "it is by --metrics"
        )
    return parse(uri, SOCKETS)
