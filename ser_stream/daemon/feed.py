"""A source and the streams that it feeds, and how the worker comes by its items."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from ser_stream.daemon.mailbox import Mailbox
from ser_stream.daemon.stream import MAX_LAG, Item, Skipped, Stream
from ser_stream.errors import ConfigError
from ser_stream.model import Model
from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.values import Chunk
from ser_stream.sources import Device, Source

T = TypeVar("T")
Arrived = tuple[Stream, Item]
"""What came, and for which stream."""


@dataclass(frozen=True, eq=False)
class Feed:
    """A source that is open, and its streams: one, or one for each channel."""

    name: str
    """What it is called where there are several."""
    source: Source
    streams: tuple[Stream, ...]

    @property
    def broken(self) -> bool:
        """Whether all of its streams ended by a fault of ours: nobody hears it."""
        return all(stream.broken for stream in self.streams)

    def device(self, what: str) -> Device:
        """The source, if it can be released and taken again.

        Raises:
            ConfigError: if not; `what` it was to be.
        """
        if self.broken:
            raise ConfigError(
                f"{self.name} cannot be {what}; it has ended by a fault, which the "
                "log tells: start the daemon anew"
            )
        if not isinstance(self.source, Device):
            raise ConfigError(
                f"{self.source.info.device} cannot be {what}; only a microphone can"
            )
        return self.source

    def say_due(self, model: Model) -> None:
        """Tell a device when the steps of its streams fall due."""
        if isinstance(self.source, Device):
            step = model.config.step_blocks * BLOCK_LENGTH
            self.source.due(model.bundle.geometry.first_step, step)


class Arrivals(Protocol):
    """Where the worker's items come from; a context, within which they come."""

    @property
    def ended(self) -> bool:
        """True when nothing will come any more."""

    def take(self, timeout: float, /) -> list[Arrived]:
        """What has come, in order; nothing if none came in `timeout` seconds.

        Raises:
            SourceError: if nothing more will come, because of that.
        """

    def call(self, feed: Feed, work: Callable[[], T], /) -> T:
        """Have something done to a source while it is not read; from any thread.

        Raises:
            SerStreamError: if that takes too long; it is not done then.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


class OneByOne:
    """One source with one stream: the worker's own thread reads it."""

    def __init__(self, feed: Feed, mailbox: Mailbox) -> None:
        """Begin; the `mailbox` is the worker's."""
        self._source = feed.source
        (self._stream,) = feed.streams
        self._mailbox = mailbox

    @property
    def ended(self) -> bool:
        return self._source.ended

    def take(self, timeout: float, /) -> list[Arrived]:
        item = self._source.read(timeout)
        if item is None:
            return []
        if isinstance(item, Chunk):
            self._stream.follow(item)
            if lag := self._lag(item):
                return [(self._stream, Skipped(lag))]
        return [(self._stream, item)]

    def _lag(self, chunk: Chunk) -> float:
        """Seconds behind real time, if it skipped to the newest for that; else 0."""
        lag = time.monotonic() - chunk.arrived
        if lag < MAX_LAG or not isinstance(self._source, Device):
            return 0.0
        self._source.skip_to_newest()
        return lag

    def call(self, _feed: Feed, work: Callable[[], T], /) -> T:
        return self._mailbox.call(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...
