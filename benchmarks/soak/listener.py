"""Subscribers of the load generator that read all they get, and check it."""

import asyncio
import contextlib
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from ser_stream.client import UnreachableError
from ser_stream.client.aio import Connection
from ser_stream.client.lines import decode, encode
from ser_stream.protocol.address import parse

STEP_MS = 200
FIRST_MS = 512.5
"""Where the first prediction of a stream ends."""
CONNECT_S = 30.0
PATIENCE_S = 600.0
"""For the next line; a daemon that says nothing for so long counts as gone."""
decoded = lru_cache(maxsize=4096)(decode)
"""The fields of a line; hundreds of subscribers get the same one."""


@lru_cache(maxsize=4096)
def spoken(time: str) -> float:
    """The `time` of a prediction in seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


class Original:
    """Whether all subscribers get the same bytes for the same event."""

    REMEMBERED = 20_000

    def __init__(self) -> None:
        self._lines: dict[int, bytes] = {}
        self.newest = 0
        """The highest `seq` that any of them got."""
        self.different = 0
        """How many lines were not what another subscriber got."""

    def compare(self, seq: int, line: bytes) -> None:
        """Take note of an event that one subscriber got."""
        if self._lines.setdefault(seq, line) != line:
            self.different += 1
        if seq > self.newest:
            self.newest = seq
            self._lines.pop(seq - self.REMEMBERED, None)


@dataclass
class Tally:
    """What a group of subscribers found."""

    connections: int = 0
    events: int = 0
    wrong_greetings: int = 0
    """Connections whose first lines were not `hello` and `snapshot`, or whose first
    event does not follow the snapshot."""
    jumps: int = 0
    """Events whose `seq` was not the last one plus 1."""
    skipped_steps: int = 0
    """Predictions that did not end 200 ms after the one before."""
    dropped: int = 0
    """Messages of that type."""
    byes: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    """Connections that ended without a `bye`."""
    latencies: "array[float]" = field(default_factory=lambda: array("f"))
    """Seconds from the end of the audio of a prediction to its receipt."""
    deliveries: "array[float]" = field(default_factory=lambda: array("f"))
    """Seconds from when the daemon had the line ready to its receipt."""

    def counts(self) -> dict[str, Any]:
        """All but the times, for JSON."""
        names = "connections events wrong_greetings jumps skipped_steps dropped cut"
        return {name: getattr(self, name) for name in names.split()} | {
            "byes": dict(self.byes)
        }


class Listener:
    """One healthy subscriber."""

    def __init__(self, original: Original, tally: Tally, timed: bool) -> None:
        self._original = original
        self._tally = tally
        self._timed = timed
        """Whether the times of lines are kept."""
        self._greeting: list[str] = []
        self._expected_ms: float | None = None
        self._bye = self._leaving = False
        self.answered = asyncio.Event()
        """Set when the daemon has answered our ping, and so knows us, or is gone."""
        self.over = False
        self.first = self.last = 0
        """`seq` of the first and the last event."""
        self.predictions = 0

    async def connect(self, address: str) -> None:
        """Come.

        Raises:
            UnreachableError: if nothing listens there.
        """
        self._connection = Connection(parse(address))
        await self._connection.open(CONNECT_S)
        self._connection.send(encode({"type": "ping", "id": 1}))
        self._tally.connections += 1

    async def run(self) -> None:
        """Read until one of both leaves."""
        with contextlib.suppress(UnreachableError):
            while line := await self._connection.receive(PATIENCE_S):
                self.take(time.time(), line)
        self._tally.cut += not self._bye and not self._leaving
        self.over = True
        self.answered.set()
        await self._connection.close()

    async def leave(self, *, rudely: bool = False) -> None:
        """Go; `rudely` with a reset, in the middle of a line."""
        self._leaving = True
        if rudely:
            writer = self._connection._writer
            writer.write(b'{"type":"subsc')
            writer.transport.abort()
        else:
            await self._connection.close()

    def take(self, at: float, line: bytes) -> None:
        """Look at a line that was received at a time, seconds since 1970."""
        tally, fields = self._tally, decoded(line)
        kind, seq = fields["type"], fields.get("seq")
        if kind == "pong":
            self.answered.set()
            return
        if len(self._greeting) < 2:
            self._greet(fields)
        if seq is not None:
            tally.events += 1
            tally.jumps += bool(self.last) and seq != self.last + 1
            self.first = self.first or seq
            self.last = seq
            self._original.compare(seq, line)
        if kind == "prediction":
            self._step(fields["end_ms"])
            if self._timed:
                latency = at - spoken(fields["time"])
                tally.latencies.append(latency)
                tally.deliveries.append(latency - fields["latency_ms"] / 1000)
        elif kind == "dropped":
            tally.dropped += 1
        elif kind == "bye":
            self._bye = True
            tally.byes[fields["reason"]] += 1

    def _greet(self, fields: dict[str, Any]) -> None:
        self._greeting.append(fields["type"])
        if fields["type"] == "snapshot":
            end_ms = fields.get("end_ms")
            self._expected_ms = end_ms + STEP_MS if end_ms else FIRST_MS
        expected = ["hello", "snapshot"][: len(self._greeting)]
        self._tally.wrong_greetings += self._greeting != expected

    def _step(self, end_ms: float) -> None:
        if self._expected_ms is not None and end_ms != self._expected_ms:
            if self.predictions:
                self._tally.skipped_steps += 1
            else:
                self._tally.wrong_greetings += 1
        self.predictions += 1
        self._expected_ms = end_ms + STEP_MS
