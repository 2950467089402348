"""A connection, as its subscriber sees it: to a socket, or by WebSocket."""

from typing import Protocol


class Transport(Protocol):
    """Carries lines to one subscriber; nothing here waits."""

    @property
    def kind(self) -> str:
        """`unix`, `tcp` or `ws`."""

    @property
    def blocked(self) -> bool:
        """True while the other side takes nothing; `Subscriber.resume` ends it."""

    def write(self, line: bytes, /) -> None:
        """Send one line; only when not blocked."""

    def unsent(self) -> int:
        """Bytes on their way that the other side has not taken, as far as is known."""

    def more(self) -> None:
        """The subscriber may be given further lines again; it was `busy`."""

    def end(self, *, linger: bool) -> None:
        """Close when all is written; `linger` until the other side has read it."""

    def abort(self) -> None:
        """Cut the connection."""
