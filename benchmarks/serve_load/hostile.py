"""Clients that break off, lie, flood, fall silent and vanish, again and again."""

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.soak.audio import minute

PAUSE_S = 0.3
"""Between two attempts of one of them."""
STAY_S = 5.0
"""How long one that does nothing stays."""
FLOOD_BYTES = 64 << 20
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open(addresses: dict[str, str], opening: bytes) -> Streams:
    host, _, port = addresses["tcp"].removeprefix("tcp://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(opening)
    return reader, writer


async def half_frames(streams: Streams) -> str | None:
    """Half an opening, or an odd number of bytes; then nothing."""
    reader, writer = streams
    if random.random() < 0.5:
        writer.write(b'{"type":"op')
        return await _code(reader)
    writer.write(b'{"type":"open","encoding":"s24"}\n' + b"\1\2\3\4\5" * 777)
    writer.write_eof()
    return await _bye(reader)


async def wrong_rate(streams: Streams) -> str | None:
    reader, writer = streams
    rate = random.choice([b"0", b"-1", b"1e9", b'"fast"', b"null", b"16000.5"])
    writer.write(b'{"type":"open","rate":' + rate + b"}\n" + bytes(4000))
    return await _code(reader)


async def text(streams: Streams) -> str | None:
    reader, writer = streams
    writer.write(b'{"type":"open"}\n' + b"GET /audio HTTP/1.1, please. " * 200)
    return await _code(reader)


async def silence(streams: Streams) -> str | None:
    """Opens, sends a little silence, and says nothing more."""
    reader, writer = streams
    writer.write(b'{"type":"open"}\n' + bytes(32_000))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), STAY_S)
        await asyncio.sleep(STAY_S)
    return None


async def flood(streams: Streams) -> str | None:
    """Far faster than anybody speaks, and reads nothing."""
    _, writer = streams
    writer.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVBUF, 8192
    )
    writer.write(b'{"type":"open","rate":48000,"channels":2}\n')
    await _pour(writer, 4 * STAY_S)
    return None


async def greed(streams: Streams) -> str | None:
    """As a flood, but reads what it is told, and so takes all time that is left."""
    reader, writer = streams
    writer.write(b'{"type":"open"}\n')

    async def read() -> None:
        while await reader.read(1 << 16):
            pass

    reading = asyncio.create_task(read())
    try:
        await _pour(writer, STAY_S)
    finally:
        reading.cancel()
    return None


async def _pour(writer: asyncio.StreamWriter, seconds: float) -> None:
    data = minute()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for _ in range(FLOOD_BYTES // len(data)):
                writer.write(data)
                await writer.drain()


async def vanish(streams: Streams) -> str | None:
    """Sends speech, and is gone within a moment, without a word."""
    _, writer = streams
    writer.write(b'{"type":"open"}\n' + minute()[: random.randrange(200_000)])
    await asyncio.sleep(random.random())
    connection = writer.transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    return None


KINDS: dict[str, tuple[Callable[[Streams], Awaitable[str | None]], str | None]] = {
    "half frames": (half_frames, "no_open|end"),
    "wrong rate": (wrong_rate, "bad_message|bad_json"),
    "text": (text, "bad_audio"),
    "silence": (silence, None),
    "flood": (flood, None),
    "greed": (greed, None),
    "vanishing": (vanish, None),
}
"""What one does, and how that has to be answered."""


async def _messages(reader: asyncio.StreamReader) -> list[dict[str, Any]]:
    lines = []
    async with asyncio.timeout(60):
        while line := await reader.readline():
            lines.append(json.loads(line))
    return lines


async def _code(reader: asyncio.StreamReader) -> str | None:
    for message in await _messages(reader):
        if message["type"] == "reply":
            return str(message["error"]["code"])
    return "no answer"


async def _bye(reader: asyncio.StreamReader) -> str | None:
    messages = await _messages(reader)
    return str(messages[-1].get("reason")) if messages else "no answer"


async def _again_and_again(
    kind: str, addresses: dict[str, str], found: Counter[str], over: asyncio.Event
) -> None:
    act, wanted = KINDS[kind]
    while not over.is_set():
        writer: asyncio.StreamWriter | None = None
        try:
            streams = await _open(addresses, b"")
            writer = streams[1]
            answer = await act(streams)
            right = wanted is None or answer in wanted.split("|")
            found[kind if right else f"{kind}: {answer}"] += 1
        except TimeoutError:
            found[f"{kind}: no answer in time"] += 1
        except ConnectionError:
            # A reset is how a flood may end; what asks for an answer must get one.
            found[kind if wanted is None else f"{kind}: reset"] += 1
        finally:
            if writer is not None:
                writer.transport.abort()
        await asyncio.sleep(PAUSE_S * random.uniform(0.5, 1.5))


async def hostile(
    addresses: dict[str, str], number: int, ready: asyncio.Event, over: asyncio.Event
) -> dict[str, Any]:
    """So many, of all kinds in turn, until `over`."""
    found: Counter[str] = Counter()
    kinds = list(KINDS)
    tasks = [
        asyncio.create_task(
            _again_and_again(kinds[n % len(kinds)], addresses, found, over)
        )
        for n in range(number)
    ]
    ready.set()
    await over.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "attempts": {k: n for k, n in found.items() if k in KINDS},
        "otherwise": {k: n for k, n in found.items() if k not in KINDS},
    }
