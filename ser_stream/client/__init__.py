"""Hear what a running daemon says, from Python.

    from ser_stream.client import connect

    with connect() as stream:
        for message in stream:
            if message["type"] == "emotion":
                print(message["phase"], message["label"])

`ser_stream.client.aio` is the same for asyncio. Neither loads numpy or ONNX Runtime.
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
