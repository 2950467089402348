"""Carries out attacks, and looks at how each is answered."""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from typing import Any

from benchmarks.soak.hostile_lines import KINDS, Attack
from benchmarks.soak.progress import bar
from benchmarks.soak.slow_clients import connect
from tests.helpers.running_daemon import RunningDaemon

BURST = 200
"""Connections that are made at once, of the kind that is about them."""
BURSTS = "connections at once"
AT_ONCE = 16
SLOW_AT_ONCE = 200
ANSWER_S = 30.0
BYTE_S = 0.002
"""Seconds between two bytes of a slow line."""


async def attack(
    daemon: RunningDaemon, kind: str, lines: int, seed: int
) -> dict[str, Any]:
    """Write so many lines of a kind; how that was answered."""
    chance = random.Random(f"{kind} {seed}")
    attacks: list[Attack] = []
    while sum(attack.lines for attack in attacks) < lines:
        attacks.append(KINDS[kind](chance))
    begin = time.monotonic()
    wrong: Counter[str] = Counter()
    waiting = iter(enumerate(attacks))
    with bar(f"hostile, {kind}", len(attacks), "connections") as shown:

        async def one_after_another() -> None:
            for number, attack in waiting:
                address = daemon.addresses[number % len(daemon.addresses)]
                wrong[await _one(address, attack)] += 1
                shown.update(1)

        slow = attacks[0].slow
        n = min(len(attacks), SLOW_AT_ONCE if slow else AT_ONCE)
        await asyncio.gather(*(one_after_another() for _ in range(n)))
    return _kind(begin, lines, wrong)


def _kind(begin: float, lines: int, wrong: Counter[str]) -> dict[str, Any]:
    right = wrong.pop("", 0)
    return {
        "lines": lines,
        "connections_answered_as_they_should": right,
        "others": dict(wrong),
        "seconds": round(time.monotonic() - begin, 1),
    }


async def _one(address: str, attack: Attack) -> str:
    """Carry out one attack; what was wrong about the answer, or nothing."""
    try:
        reader, writer = await asyncio.open_connection(
            sock=connect(address), limit=1 << 20
        )
    except OSError as error:
        return f"no connection: {error.strerror}"
    try:
        answer = asyncio.create_task(_answers(reader, attack))
        with contextlib.suppress(ConnectionError):
            await _write(writer, attack)
        return await asyncio.wait_for(answer, ANSWER_S)
    except TimeoutError:
        return "no answer in time"
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _write(writer: asyncio.StreamWriter, attack: Attack) -> None:
    if not attack.slow:
        writer.write(attack.data)
        await writer.drain()
        if not attack.answers:
            await asyncio.sleep(10 * BYTE_S)  # half a line is left lying there
        return
    for at in range(len(attack.data)):
        writer.write(attack.data[at : at + 1])
        await asyncio.sleep(BYTE_S)


async def _answers(reader: asyncio.StreamReader, attack: Attack) -> str:
    answers, reason = 0, None
    while attack.closed or answers < attack.answers:
        try:
            line = await reader.readline()
        except ConnectionError:
            return f"cut after {answers} of {attack.answers} answers"
        if not line:
            break
        message = json.loads(line)
        answers += message["type"] in ("reply", "pong")
        if message["type"] == "bye":
            reason = message["reason"]
    expected = "protocol" if attack.closed else None
    if (answers, reason) == (attack.answers, expected):
        return ""
    return f"{answers} of {attack.answers} answers, bye {reason}"


def bursts(daemon: RunningDaemon, lines: int) -> dict[str, Any]:
    """Many connections at once; each writes a bad line, and all vanish."""
    begin = time.monotonic()
    wrong: Counter[str] = Counter()
    with bar(f"hostile, {BURSTS}", lines, "connections") as shown:
        while shown.n < lines:
            with contextlib.ExitStack() as stack:
                for number in range(min(BURST, lines - shown.n)):
                    address = daemon.addresses[number % len(daemon.addresses)]
                    try:
                        one = stack.enter_context(connect(address))
                        one.sendall(b"{]\n")
                        wrong[""] += 1
                    except OSError as error:
                        wrong[str(error)] += 1
                    shown.update(1)
    return _kind(begin, lines, wrong)
