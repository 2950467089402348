"""Subscribe to a running daemon, from Python.

    from ser_stream.client import connect

    with connect() as stream:
        for message in stream:
            if message["type"] == "emotion":
                print(message["phase"], message["label"])

`ser_stream.client.aio` is the same for asyncio. Neither loads numpy or ONNX Runtime.

stream, aio                    subscriptions, blocking and asyncio
subscription                   hello, snapshot, reconnecting: for both, without a socket
connection, framing, lines     a socket; WebSocket frames; bytes -> messages
past                           history, and what of it was given already
retry                          when to connect again
control                        one request, one answer
messages, errors               the types
where                          which address, if none is given
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
from ser_stream.client.stream import Stream, connect

__all__ = [
    "AccessError",
    "Message",
    "NotRunningError",
    "ProtocolError",
    "RefusedError",
    "Stream",
    "UnreachableError",
    "connect",
    "control",
]
