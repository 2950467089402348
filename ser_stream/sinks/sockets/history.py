"""The last hour of events, kept so that a page or a program may look back.

Lines are kept as they were sent, compressed in blocks: an hour of predictions at five a
second is some 7 MB of text, and far less in memory.
"""

import re
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, takewhile

from ser_stream.protocol.messages import Message
from ser_stream.protocol.requests import MAX_HISTORY_S

MAX_BYTES = 4 * 1024 * 1024
"""Of compressed blocks; the oldest go first."""
BLOCK_BYTES = 64 * 1024
"""Of lines that are compressed together."""
SET_BACK_S = 60.0
"""Seconds; by less, the time of a stream is corrected now and then."""
_TYPE = re.compile(rb'\{"type":"(\w+)"')
# In a text of the line its quotes would be escaped.
_TIME = re.compile(rb'"time":"([^"]+)"')
_SEQ = re.compile(rb'"seq":(\d+)')
# At the beginning: a text of the line might look the same.
_SOURCE = re.compile(rb'\{"type":"\w+","source":"([^"]*)"')


@dataclass(frozen=True, slots=True)
class _Block:
    data: bytes
    newest: float
    """Its last `time`, in seconds."""
    first: Mapping[str, int]
    """The first `seq` in it of each source."""

    def lines(self) -> list[bytes]:
        return zlib.decompress(self.data).splitlines(keepends=True)


@dataclass(frozen=True, slots=True)
class Past:
    """Events of the past, as they were at one moment."""

    spans: Mapping[str, tuple[int, int]]
    """The first and the last `seq` of each source that has events."""
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
        self._open_first: dict[str, int] = {}
        self._newest = 0.0
        self._newest_of: dict[str, float] = {}
        self._last_seq: dict[str, int] = {}

    def __sizeof__(self) -> int:
        """Bytes that are held, about."""
        return self._size + self._open_size

    def follow(self, message: Message) -> None:
        """Note one message; only events are kept."""
        if "seq" not in message.fields:
            return
        source, seq = message.source, message.fields["seq"]
        time = _seconds(message.fields["time"])
        if time < self._newest_of.get(source, 0.0) - SET_BACK_S:
            # The clock on the wall was set back: what was newest is no longer.
            self._newest_of.clear()
        # Of several recordings one may run ahead of the others.
        self._newest_of[source] = time
        self._newest = max(self._newest_of.values())
        self._last_seq[source] = seq
        self._open_first.setdefault(source, seq)
        self._open.append(message.line)
        self._open_size += len(message.line)
        if self._open_size >= BLOCK_BYTES:
            self._pack()

    def _pack(self) -> None:
        data = zlib.compress(b"".join(self._open), 3)
        block = _Block(data, self._newest, self._open_first)
        self._open, self._open_size, self._open_first = [], 0, {}
        self._blocks.append(block)
        self._size += len(block.data)
        oldest = self._newest - self._max_age_s
        while self._blocks[0].newest < oldest or self._size > self._max_bytes:
            self._size -= len(self._blocks.popleft().data)

    def last(
        self,
        seconds: float,
        only: Set[str] | None = None,
        sources: Set[str] | None = None,
    ) -> Past:
        """What lies at most so many seconds before the newest event, in order.

        Args:
            seconds: by the events' `time`.
            only: types of events; None for all.
            sources: whose events; None for those of all.
        """
        oldest = self._newest - min(seconds, self._max_age_s)
        # All since the last one that is too old: the clock on the wall may be set back,
        # and what follows one another must not have a hole.
        recent = takewhile(lambda block: block.newest >= oldest, reversed(self._blocks))
        blocks = list(recent)[::-1]
        first = blocks[0].lines() if blocks else list(self._open)
        del first[: _too_old(first, oldest)]
        rest = chain.from_iterable(block.lines() for block in blocks[1:])
        newest = list(self._open) if blocks else []
        lines = chain(first, rest, newest)
        if only is not None:
            lines = chain(line for line in lines if _type_of(line) in only)
        if sources is not None:
            lines = chain(line for line in lines if _source_of(line) in sources)
        return Past(self._spans(first, blocks), lines)

    def _spans(
        self, first: list[bytes], blocks: list[_Block]
    ) -> dict[str, tuple[int, int]]:
        begins: dict[str, int] = {}
        for line in first:
            begins.setdefault(_source_of(line), int(_found(_SEQ, line)))
            if len(begins) == len(self._last_seq):
                break
        later = [block.first for block in blocks[1:]]
        if blocks:
            later.append(self._open_first)
        for firsts in later:
            begins = {**firsts, **begins}
        return {source: (seq, self._last_seq[source]) for source, seq in begins.items()}


def _too_old(lines: list[bytes], oldest: float) -> int:
    """How many at the beginning are."""
    count = 0
    for number, line in enumerate(lines, 1):
        if _time_of(line) < oldest:
            count = number
        elif _source_of(line):
            # Of several recordings one may run ahead of the others.
            break
    return count if count < len(lines) else 0


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


def _source_of(line: bytes) -> str:
    found = _SOURCE.match(line)
    return "" if found is None else found[1].decode()
