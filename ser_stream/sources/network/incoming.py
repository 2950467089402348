"""Bytes that came over a connection -> chunks: what all wire forms have in common."""

from collections.abc import Callable
from typing import Protocol

from ser_stream.pipeline.values import Chunk

MOST_S = 2.0
"""Seconds of audio that may wait; then the client is held back."""


class Incoming(Protocol):
    """One thread puts bytes in, another takes chunks out; neither waits."""

    rate: int
    """Hertz; 0 while it is not known."""

    on_ready: Callable[[], None]
    """Called, from any thread, when there is something to take though nothing was put
    just now."""

    @property
    def waiting_s(self) -> float:
        """Seconds of audio that can be taken."""

    @property
    def ready(self) -> bool:
        """Whether `take` has something to do: audio, or its end."""

    @property
    def full(self) -> bool:
        """Whether so much waits that no more should be read."""

    @property
    def exhausted(self) -> bool:
        """Whether it has ended, and all of it was taken."""

    def put(self, data: bytes, /) -> None:
        """Take bytes, however they are cut; nothing after `end`."""

    def lose(self, count: int, /) -> None:
        """So many bytes came that nobody can keep: they are a gap."""

    def end(self, *, discard: bool = False) -> None:
        """No more will come; with `discard`, what waits does not count."""

    def take(self, most_s: float, /) -> list[Chunk]:
        """What waits, at most so many seconds.

        Raises:
            SourceError: if that is no such audio; nothing more can be taken.
        """

    def close(self) -> None:
        """Free what was opened; from the thread that puts."""
