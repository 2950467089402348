"""Subscribers of the load generator that read all they get, and check it."""

import asyncio
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.soak.lines import Line, Original, read

STEP_MS = 200
FIRST_MS = 512.5
"""Where the first prediction of a stream ends."""
PAUSE = 0.1
"""Seconds that lines lie unread, so that the receipt of others is not delayed by it."""
BUFFER = memoryview(bytearray(1 << 16))
"""That all receive into, in turn; a new one for each costs more than the rest."""


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


class Inbox:
    """What has come, to be looked at a moment later; the time is taken at once."""

    def __init__(self, timed: bool) -> None:
        self.original = Original()
        self.timed = timed
        """Whether the times of lines are kept."""
        self._items: list[tuple[Listener, float, bytes | None]] = []

    def put(self, listener: "Listener", data: bytes | None) -> None:
        """Take what a subscriber received now; None is the end of its connection."""
        if not self._items:
            asyncio.get_running_loop().call_later(PAUSE, self.empty)
        self._items.append((listener, time.time(), data))

    def empty(self) -> None:
        """Look at all of it."""
        items, self._items = self._items, []
        for listener, at, data in items:
            if data is None:
                listener.lost()
            else:
                listener.take(at, data)


class Listener(asyncio.BufferedProtocol):
    """One healthy subscriber."""

    def __init__(self, inbox: Inbox, tally: Tally) -> None:
        self._inbox = inbox
        self._tally = tally
        self._rest = b""
        self._greeting: list[str] = []
        self._expected_ms: float | None = None
        self.transport: asyncio.Transport | None = None
        self.answered = asyncio.get_running_loop().create_future()
        """Done when the daemon has answered our ping, and so knows us."""
        self.gone = False
        self.first = self.last = 0
        """`seq` of the first and the last event."""
        self.predictions = 0
        self._bye = False
        self._leaving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._tally.connections += 1
        transport.write(b'{"type":"ping","id":1}\n')

    def get_buffer(self, sizehint: int) -> memoryview:
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self._inbox.put(self, bytes(BUFFER[:nbytes]))

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self._inbox.put(self, None)

    def lost(self) -> None:
        """The connection is over, and all that came before has been looked at."""
        self._tally.cut += not self._bye and not self._leaving
        if not self.answered.done():
            self.answered.set_result(False)

    def leave(self, *, rudely: bool = False) -> None:
        """Go; `rudely` with a reset, or in the middle of a line."""
        self._leaving = True
        if self.transport is None:
            return
        if rudely:
            self.transport.write(b'{"type":"subsc')
            self.transport.abort()
        else:
            self.transport.close()

    def take(self, at: float, data: bytes) -> None:
        """Look at what was received at a time, seconds since 1970."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._look(at, line, read(line))

    def _look(self, at: float, text: bytes, line: Line) -> None:
        tally = self._tally
        if line.type == "pong":
            if not self.answered.done():
                self.answered.set_result(True)
            return
        if len(self._greeting) < 2:
            self._greet(line)
        if line.seq is not None:
            tally.events += 1
            tally.jumps += bool(self.last) and line.seq != self.last + 1
            self.first = self.first or line.seq
            self.last = line.seq
            self._inbox.original.compare(line.seq, text)
        if line.type == "prediction":
            self._step(line)
            if self._inbox.timed:
                tally.latencies.append(at - line.spoken)
                tally.deliveries.append(at - line.ready)
        elif line.type == "dropped":
            tally.dropped += 1
        elif line.type == "bye":
            self._bye = True
            tally.byes[line.reason] += 1

    def _greet(self, line: Line) -> None:
        self._greeting.append(line.type)
        if line.type == "snapshot":
            self._expected_ms = line.end_ms + STEP_MS if line.end_ms else FIRST_MS
        expected = ["hello", "snapshot"][: len(self._greeting)]
        self._tally.wrong_greetings += self._greeting != expected

    def _step(self, line: Line) -> None:
        if self._expected_ms is not None and line.end_ms != self._expected_ms:
            if self.predictions:
                self._tally.skipped_steps += 1
            else:
                self._tally.wrong_greetings += 1
        self.predictions += 1
        self._expected_ms = line.end_ms + STEP_MS
