"""The last hour of events, kept so that a page or a program may look back.

Lines are kept as they were sent, compressed in blocks: an hour of predictions at five a
second is some 7 MB of text, and far less in memory.
"""

import re
import zlib
from collections import deque
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from ser_stream.protocol.messages import Message
from ser_stream.protocol.requests import MAX_HISTORY_S

MAX_BYTES = 4 * 1024 * 1024
"""Of compressed blocks; the oldest go first."""
BLOCK_BYTES = 64 * 1024
"""Of lines that are compressed together."""
_TYPE = re.compile(rb'\{"type":"(\w+)"')
# In a text of the line its quotes would be escaped.
_TIME = re.compile(rb'"time":"([^"]+)"')
_SEQ = re.compile(rb'"seq":(\d+)')


@dataclass(frozen=True, slots=True)
class _Block:
    data: bytes
    newest: float
    """Its last `time`, in seconds."""

    def lines(self) -> list[bytes]:
        return zlib.decompress(self.data).splitlines(keepends=True)


@dataclass(frozen=True, slots=True)
class Past:
    """Events of the past, as they were at one moment."""

    from_seq: int | None
    """None if there are no events."""
    to_seq: int | None
    lines: Iterator[bytes] = field(repr=False)
    """Unpacked as they are taken."""


class History:
    """Follows the messages; bounded in time and in bytes."""

    def __init__(
        self, max_age_s: float = MAX_HISTORY_S, max_bytes: int = MAX_BYTES
    ) -> None:
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._blocks: deque[_Block] = deque()
        self._size = 0
        self._open: list[bytes] = []
        self._open_size = 0
        self._newest = 0.0
        self._last_seq: int | None = None

    def __sizeof__(self) -> int:
        """Bytes that are held, about."""
        return self._size + self._open_size

    def follow(self, message: Message) -> None:
        """Note one message; only events are kept."""
        if "seq" not in message.fields:
            return
        self._newest = _seconds(message.fields["time"])
        self._last_seq = message.fields["seq"]
        self._open.append(message.line)
        self._open_size += len(message.line)
        if self._open_size >= BLOCK_BYTES:
            self._pack()

    def _pack(self) -> None:
        block = _Block(zlib.compress(b"".join(self._open), 3), self._newest)
        self._open, self._open_size = [], 0
        self._blocks.append(block)
        self._size += len(block.data)
        oldest = self._newest - self._max_age_s
        while self._blocks[0].newest < oldest or self._size > self._max_bytes:
            self._size -= len(self._blocks.popleft().data)

    def last(self, seconds: float, only: Set[str] | None = None) -> Past:
        """What lies at most so many seconds before the newest event, in order.

        Args:
            seconds: by the events' `time`.
            only: types of events; None for all.
        """
        oldest = self._newest - min(seconds, self._max_age_s)
        blocks = [block for block in self._blocks if block.newest >= oldest]
        first = blocks[0].lines() if blocks else list(self._open)
        for index, line in enumerate(first):
            if _time_of(line) >= oldest:
                del first[:index]
                break
        if not first:
            return Past(None, None, iter(()))
        rest = chain.from_iterable(block.lines() for block in blocks[1:])
        newest = list(self._open) if blocks else []
        lines = chain(first, rest, newest)
        if only is not None:
            lines = chain(line for line in lines if _type_of(line) in only)
        return Past(int(_found(_SEQ, first[0])), self._last_seq, lines)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _found(pattern: re.Pattern[bytes], line: bytes) -> bytes:
    found = pattern.search(line)
    assert found is not None, line
    return found[1]


def _time_of(line: bytes) -> float:
    return _seconds(_found(_TIME, line).decode())


def _type_of(line: bytes) -> str:
    return _found(_TYPE, line).decode()
