"""Many sources at once: each is read by a small thread, the worker takes what has come.

What has come from any of them is taken in one go, so that it can be computed together.
Recordings and pipes are held back while the worker has enough of theirs; a device never
is: what waits for too long is left out, and that is told.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Self, TypeVar

from ser_stream.daemon.feed import Arrived, Feed
from ser_stream.daemon.mailbox import Mailbox
from ser_stream.daemon.stream import MAX_LAG, Ended, Skipped
from ser_stream.errors import SerStreamError
from ser_stream.pipeline.values import Chunk, Condition
from ser_stream.sources import Device, damage_of
from ser_stream.sources.each import parted

_LOGGER = logging.getLogger(__name__)
T = TypeVar("T")
LOOK_S = 0.25
"""Seconds; how long a reader may take to notice that it is to end, or asked for."""
HELD = 2
"""Chunks of a recording that may wait for the worker."""
MOST = 1000
"""Chunks of a device that may; they are too late long before."""
END_WAIT = 2.0
"""Seconds for the readers to end."""


class Inbox:
    """The sources' readers, and what has come from them."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        """Prepare; it begins with the context."""
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._items: deque[tuple[_Reader, Chunk | Condition | _End]] = deque()
        self._readers = {feed: _Reader(feed, self) for feed in feeds}
        self._reading = len(self._readers)
        self._over = False

    @property
    def ended(self) -> bool:
        return not self._reading

    def __enter__(self) -> Self:
        for reader in self._readers.values():
            reader.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._over = True
            self._room.notify_all()
        deadline = time.monotonic() + END_WAIT
        for reader in self._readers.values():
            reader.join(max(0.0, deadline - time.monotonic()))

    def call(self, feed: Feed, work: Callable[[], T], /) -> T:
        """Have something done to a source by its reader; others go on meanwhile.

        Raises:
            SerStreamError: if it does not come to that.
        """
        return self._readers[feed].mailbox.call(work)

    # The worker's thread.

    def take(self, timeout: float, /) -> list[Arrived]:
        """Everything that has come, in the order in which it came."""
        with self._lock:
            if not self._items:
                self._came.wait(timeout)
            items, self._items = self._items, deque()
            for reader, _ in items:
                reader.waiting = 0
            self._room.notify_all()
        late = _late(items)
        arrived: list[Arrived] = []
        for reader, item in items:
            if isinstance(item, _End):
                arrived += self._end(reader.feed, item)
            elif isinstance(item, Chunk) and reader in late:
                lag, kept = late[reader]
                if lag:
                    skipped = Skipped(lag)
                    arrived += [(stream, skipped) for stream in reader.feed.streams]
                    late[reader] = 0.0, kept
                if item is kept:
                    arrived += _parts(reader.feed, item)
            else:
                arrived += _parts(reader.feed, item)
        for stream, part in arrived:
            if isinstance(part, Chunk):
                stream.follow(part)
        return arrived

    def _end(self, feed: Feed, end: "_End") -> list[Arrived]:
        self._reading -= 1
        source, failure = feed.source, ""
        if isinstance(end.error, SerStreamError):
            failure = str(end.error)
        elif end.error is not None:
            # A fault of ours, nothing that a user can mend; the others go on.
            _LOGGER.error("%s: reading failed", feed.name, exc_info=end.error)
            failure = f"reading failed: {end.error!r}"
        damage = damage_of(source)
        ended = Ended(
            failure=failure,
            damage="" if damage is None else damage.reason,
        )
        return [(stream, ended) for stream in feed.streams]

    # The readers' threads.

    def put(self, reader: "_Reader", item: "Chunk | Condition | _End") -> None:
        """Hand over what came; waits for room if the source can."""
        with self._lock:
            if isinstance(item, Chunk):
                while not reader.device and reader.waiting >= HELD and not self._over:
                    self._room.wait()
                if reader.waiting >= MOST:
                    return
                reader.waiting += 1
            self._items.append((reader, item))
            self._came.notify()

    @property
    def over(self) -> bool:
        """Whether readers are to end."""
        return self._over


class _End:
    """Nothing more will come from a source."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


class _Reader(threading.Thread):
    """Reads one source until it ends; the process does not wait for it."""

    def __init__(self, feed: Feed, inbox: Inbox) -> None:
        super().__init__(name=f"reads {feed.name}", daemon=True)
        self.feed = feed
        self.mailbox = Mailbox()
        self.device = isinstance(feed.source, Device)
        self.waiting = 0
        """Chunks that the worker has not taken; guarded by the inbox."""
        self._inbox = inbox

    def run(self) -> None:
        source, error = self.feed.source, None
        try:
            while not self._inbox.over:
                self.mailbox.do_all()
                item = source.read(LOOK_S)
                if item is not None:
                    self._inbox.put(self, item)
                if source.ended:
                    break
                if self.feed.broken:
                    # Nobody hears it any more, so it must not be held either.
                    if isinstance(source, Device):
                        source.pause()
                    break
        except Exception as failure:  # noqa: BLE001  the worker tells, or raises it
            error = failure
        self.mailbox.close()
        self._inbox.put(self, _End(error))


def _parts(feed: Feed, item: Chunk | Condition) -> Iterable[Arrived]:
    """An item for each stream of a feed."""
    streams = feed.streams
    if len(streams) == 1 or isinstance(item, Condition):
        return [(stream, item) for stream in streams]
    chunks = parted(item, len(streams))
    return [
        (stream, chunk)
        for stream, chunk in zip(streams, chunks, strict=True)
        if chunk is not None
    ]


def _late(
    items: Iterable[tuple[_Reader, Chunk | Condition | _End]],
) -> dict[_Reader, tuple[float, Chunk | None]]:
    """Devices that are behind real time: by how many seconds, and the chunk to keep."""
    oldest: dict[_Reader, Chunk] = {}
    newest: dict[_Reader, Chunk] = {}
    for reader, item in items:
        if reader.device and isinstance(item, Chunk):
            oldest.setdefault(reader, item)
            newest[reader] = item
    now = time.monotonic()
    return {
        reader: (
            now - chunk.arrived,
            newest[reader] if now - newest[reader].arrived < MAX_LAG else None,
        )
        for reader, chunk in oldest.items()
        if now - chunk.arrived >= MAX_LAG
    }
