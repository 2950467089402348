"""Where messages go: standard output, and the subscribers of sockets."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Clients use `ser_stream.protocol.address`, and need not load numpy for that.
    from ser_stream.protocol.messages import Message


class Sink(Protocol):
    """Takes messages in order."""

    @property
    def closed(self) -> bool:
        """True when nobody reads any more."""

    def send(self, message: "Message", /) -> None:
        """Deliver one message, or queue it; never raises for a reader that left."""

    def close(self) -> None:
        """Deliver what is queued, and free what was opened."""
