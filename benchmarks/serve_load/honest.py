"""Clients that send speech as it is spoken, and read all that they are told."""

import asyncio
import json
import math
import time
from collections import Counter
from typing import Any, Protocol

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.soak.audio import minute
from ser_stream.pipeline.values import SAMPLE_RATE

PIECE_S = 0.1
PIECE = 2 * round(PIECE_S * SAMPLE_RATE)
"""Bytes."""
OPENING = b'{"type":"open"}'


class Wire(Protocol):
    async def send(self, data: bytes) -> None: ...
    async def end(self) -> None: ...
    async def line(self) -> bytes:
        """The next line; empty at the end."""


class _Bytes:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, uri: str) -> "_Bytes":
        kind, _, place = uri.partition("://")
        if kind == "unix":
            reader, writer = await asyncio.open_unix_connection(place)
        else:
            host, _, port = place.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(OPENING + b"\n")
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def end(self) -> None:
        self._writer.write_eof()

    async def line(self) -> bytes:
        return await self._reader.readline()


class _WebSocket:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, uri: str) -> "_WebSocket":
        connection = await connect(uri, compression=None, proxy=None)
        await connection.send(OPENING.decode())
        return cls(connection)

    async def send(self, data: bytes) -> None:
        await self._connection.send(data)

    async def end(self) -> None:
        await self._connection.send('{"type":"end"}')

    async def line(self) -> bytes:
        async for message in self._connection:
            return bytes(message.encode())
        return b""


class Client:
    """One of them."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._sent: list[float] = []
        self.greeted = asyncio.Event()
        self.delays: list[tuple[float, float]] = []
        """When each step was told, and how long after its last sample, seconds."""
        self.late: list[float] = []
        """By how much each piece was sent too late, seconds: our own fault."""
        self.wrong: Counter[str] = Counter()
        self._end_ms: float | None = None
        self._seq = 0

    async def run(self, uri: str, over: asyncio.Event) -> None:
        opened = _WebSocket if uri.startswith("ws:") else _Bytes
        try:
            wire: Wire = await opened.open(uri)
            reading = asyncio.create_task(self._read(wire))
            await self.greeted.wait()
            await self._send(wire, over)
            await wire.end()
            await reading
        except (ConnectionError, ConnectionClosed) as error:
            self.wrong[f"lost: {error}"] += 1
            self.greeted.set()

    async def _send(self, wire: Wire, over: asyncio.Event) -> None:
        data = minute()
        begin = time.monotonic()
        while not over.is_set():
            due = begin + PIECE_S * (len(self._sent) + 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            at = (self._offset + PIECE * len(self._sent)) % (len(data) - PIECE)
            await wire.send(data[at : at + PIECE])
            self._sent.append(time.monotonic())
            self.late.append(self._sent[-1] - due)

    async def _read(self, wire: Wire) -> None:
        reason = "no bye"
        while line := await wire.line():
            now = time.monotonic()
            message = json.loads(line)
            self.greeted.set()
            if message["type"] == "prediction":
                self._step(message, now)
            elif message["type"] in ("dropped", "status", "reply"):
                self.wrong[message["type"]] += 1
            elif message["type"] == "bye":
                reason = message["reason"]
            if "seq" in message:
                self.wrong["out of order"] += message["seq"] != self._seq + 1
                self._seq = message["seq"]
        self.wrong["other ends"] += reason != "end"
        expected = 1 + (len(self._sent) * PIECE_S * 1000 - 512.5) // 200
        self.wrong["missing steps"] += len(self.delays) < expected
        self.greeted.set()

    def _step(self, message: dict[str, Any], now: float) -> None:
        end_ms = message["end_ms"]
        if self._end_ms is not None and end_ms != self._end_ms + 200:
            self.wrong["skipped"] += 1
        self._end_ms = end_ms
        piece = math.ceil(end_ms / (PIECE_S * 1000)) - 1
        if piece >= len(self._sent):
            self.wrong["before its audio"] += 1
            return
        self.delays.append((now, now - self._sent[piece]))


async def honest(
    addresses: dict[str, str], number: int, ready: asyncio.Event, over: asyncio.Event
) -> dict[str, Any]:
    """So many of them, on all kinds of addresses in turn, until `over`."""
    kinds = ("tcp", "unix", "tcp", "ws")
    clients = [Client(2 * 16_000 * 7 * n) for n in range(number)]
    tasks = []
    for n, client in enumerate(clients):
        uri = addresses[kinds[n % len(kinds)]]
        tasks.append(asyncio.create_task(client.run(uri, over)))
        # Not all steps at the same moment, as in the world.
        await asyncio.sleep(min(0.2, 10.0 / number) * 0.37)
    await asyncio.gather(*(client.greeted.wait() for client in clients))
    ready.set()
    await asyncio.gather(*tasks)
    wrong = sum((client.wrong for client in clients), Counter[str]())
    late = np.concatenate([client.late for client in clients])
    return {
        "delays": np.concatenate([client.delays for client in clients]),
        "wrong": {what: n for what, n in wrong.items() if n},
        "generator_late_ms_p99": round(1000 * float(np.quantile(late, 0.99)), 1),
    }
