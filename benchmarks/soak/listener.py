"""Subscribers of the load generator that read all they get, and check it."""

import asyncio
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from ser_stream.client import UnreachableError
from ser_stream.client.framing import LineConnection
from ser_stream.client.lines import decode, encode
from ser_stream.protocol.address import parse

STEP_MS = 200
FIRST_MS = 512.5
"""Where the first prediction of a stream ends."""
PAUSE_S = 0.1
"""Lines lie unread for so long, so that the receipt of others is not delayed by it."""
BUFFER = memoryview(bytearray(1 << 16))
"""That all receive into, in turn; a new one for each costs more than the rest."""
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
        if self._lines.setdefault(seq, line) != line:
            self.different += 1
        if seq > self.newest:
            self.newest = seq
            self._lines.pop(seq - self.REMEMBERED, None)


WRONG = "jumps skipped_steps dropped cut wrong_greetings"
"""Counts of a `Tally` that are 0 where nothing is wrong."""


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
    byes: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    """Connections that ended without a `bye`."""
    latencies: "array[float]" = field(default_factory=lambda: array("f"))
    """Seconds from the end of the audio of a prediction to its receipt."""
    deliveries: "array[float]" = field(default_factory=lambda: array("f"))
    """Seconds from when the daemon had the line ready to its receipt."""

    def counts(self) -> dict[str, Any]:
        """All but the times, for JSON."""
        names = f"connections events {WRONG}".split()
        return {n: getattr(self, n) for n in names} | {"byes": dict(self.byes)}


class Inbox:
    """What has come, to be looked at a moment later; the time is taken at once."""

    def __init__(self, *, timed: bool) -> None:
        self.original = Original()
        self.timed = timed
        """Whether the times of lines are kept."""
        self._items: list[tuple[Listener, float, bytes]] = []

    def put(self, listener: "Listener", data: bytes) -> None:
        """Take what a subscriber received now; nothing is the end of its connection."""
        if not self._items:
            asyncio.get_running_loop().call_later(PAUSE_S, self.empty)
        self._items.append((listener, time.time(), data))

    def empty(self) -> None:
        items, self._items = self._items, []
        for listener, at, data in items:
            listener.take(at, data)


class Listener(asyncio.BufferedProtocol):
    """One healthy subscriber.

    The client's framing without its tasks: five hundred of those take a fifth of a
    core, and what is measured were how long they wait for each other.
    """

    def __init__(self, inbox: Inbox, tally: Tally, address: str) -> None:
        self._inbox = inbox
        self._tally = tally
        self._wire = LineConnection(parse(address))
        self._greeting: list[str] = []
        self._expected_ms: float | None = None
        self._bye = self._leaving = False
        self.answered = asyncio.Event()
        """Set when the daemon has answered our ping, and so knows us, or is gone."""
        self.gone = False
        self.first = self.last = 0
        """`seq` of the first and the last event."""
        self.predictions = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._tally.connections += 1
        self._transport.write(self._wire.outgoing(encode({"type": "ping", "id": 1})))

    def get_buffer(self, sizehint: int) -> memoryview:
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self._inbox.put(self, bytes(BUFFER[:nbytes]))

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self._inbox.put(self, b"")

    def leave(self, *, rudely: bool = False) -> None:
        """Go; `rudely` with a reset, in the middle of a line."""
        self._leaving = True
        if rudely:
            self._transport.write(b'{"type":"subsc')
            self._transport.abort()
        else:
            self._transport.close()

    def take(self, at: float, data: bytes) -> None:
        """Look at what was received at a time, seconds since 1970."""
        try:
            self._wire.take(data)
        except UnreachableError:
            self._tally.cut += not self._bye and not self._leaving
            self.answered.set()
        while self._wire.lines:
            self._look(at, self._wire.lines.popleft())

    def _look(self, at: float, line: bytes) -> None:
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
            self._inbox.original.compare(seq, line)
        if kind == "prediction":
            self._step(fields["end_ms"])
            if self._inbox.timed:
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
