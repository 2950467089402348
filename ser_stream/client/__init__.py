"""Subscribe to a running daemon, from Python.

    from ser_stream.client import connect

    with connect() as stream:
        for message in stream:
            if message["type"] == "emotion":
                print(message["phase"], message["label"])

`send` sends audio to `ser-stream serve`, and gets the events of that alone.
`ser_stream.client.aio` is both for asyncio. Neither loads numpy or ONNX Runtime.

stream, aio                    subscriptions, blocking and asyncio
subscription                   hello, snapshot, reconnecting: for both, without a socket
connection, aio_connection     a socket
framing, lines                 WebSocket frames; bytes -> messages
past                           history, and what of it was given already
retry                          when to connect again
control                        one request, one answer
serve_status                   the same over a network: how a `ser-stream serve` is
messages, errors               the types
where                          which address, if none is given
sending, aio_sending           audio to `ser-stream serve`, events from it
opening                        what is said first, and samples as bytes: for both
by_nats                        the same by a NATS server, to one of many
"""

from ser_stream.client.control import control
from ser_stream.client.errors import (
    AccessError,
    NotRunningError,
    ProtocolError,
    RefusedError,
    UnreachableError,
)
from ser_stream.client.messages import Message
from ser_stream.client.sending import SentStream, send
from ser_stream.client.serve_status import serve_status
from ser_stream.client.stream import Stream, connect

__all__ = [
    "AccessError",
    "Message",
    "NotRunningError",
    "ProtocolError",
    "RefusedError",
    "SentStream",
    "Stream",
    "UnreachableError",
    "connect",
    "control",
    "send",
    "serve_status",
]
