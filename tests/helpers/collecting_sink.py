"""A sink that keeps everything."""

from typing import Any

from ser_stream.protocol.messages import Message
from ser_stream.sinks import Sink


class Collected(Sink):
    """A sink that keeps everything."""

    closed = False

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def send(self, message: Message, /) -> None:
        assert message.line
        self.messages.append(dict(message.fields))

    def stop_waiting(self) -> None: ...

    def close(self) -> None: ...

    def of(self, type: str) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == type]
