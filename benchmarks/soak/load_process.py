"""What runs in the process of the load generator."""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.soak.latency import summary
from benchmarks.soak.listener import Inbox, Listener, Tally
from benchmarks.soak.slow_clients import NonReadingClient, SlowClient, connect

AT_ONCE = 50
"""Connections that are made before the first of them must have been answered."""
CATCH_UP_S = 10.0
"""Seconds in which the last event must have come to all."""


@dataclass(frozen=True)
class Load:
    """Which subscribers there are."""

    addresses: Sequence[str]
    """Of the daemon; taken in turn."""
    healthy: int = 0
    """Subscribers that read and check all."""
    non_reading: int = 0
    """That never read."""
    slow: int = 0
    """That read a line a second."""
    reconnecting: int = 0
    """That come, stay for a random time, and go again, for ever."""
    stay_s: float = 1.0
    """How long on average, seconds."""
    timed: bool = False
    """Whether to take the times of lines; only where audio is paced."""
    seed: int = 0
    """Of that chance."""


def run(load: Load, pipe: Connection) -> None:
    """Say when all are there; told to end, say what they found."""
    asyncio.run(_Subscribers(load).run(pipe))


class _Subscribers:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._inbox = Inbox(timed=load.timed)
        self._healthy = Tally()
        self._visits = Tally()
        self._listeners: list[Listener] = []
        self._non_reading: list[NonReadingClient] = []
        self._slow: list[SlowClient] = []
        self._refused = 0

    @property
    def _not_keeping_up(self) -> list[NonReadingClient | SlowClient]:
        return [*self._non_reading, *self._slow]

    def _address(self, number: int) -> str:
        return self._load.addresses[number % len(self._load.addresses)]

    async def run(self, pipe: Connection) -> None:
        await self._come()
        tasks = [
            asyncio.create_task(self._visit(n)) for n in range(self._load.reconnecting)
        ]
        tasks.append(asyncio.create_task(self._tick()))
        pipe.send(None)
        begin, cpu = time.monotonic(), time.process_time()
        await asyncio.to_thread(pipe.recv)
        wall = time.monotonic() - begin
        cpu = time.process_time() - cpu
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        last = await self._catch_up()
        pipe.send(
            self._result(last)
            | {
                "seconds": round(wall, 1),
                "own_cpu_percent": round(100 * cpu / wall, 1),
            }
        )
        for listener in self._listeners:
            listener.leave()
        for one in self._not_keeping_up:
            one.close()
        await asyncio.sleep(0.1)

    async def _listen(self, number: int, tally: Tally) -> Listener:
        address = self._address(number)
        _, listener = await asyncio.get_running_loop().create_connection(
            lambda: Listener(self._inbox, tally, address), sock=connect(address)
        )
        return listener

    async def _come(self) -> None:
        for number in range(self._load.healthy):
            listener = await self._listen(number, self._healthy)
            self._listeners.append(listener)
            if number % AT_ONCE == AT_ONCE - 1:
                await listener.answered.wait()
        for listener in self._listeners:
            await listener.answered.wait()
        for number in range(self._load.non_reading):
            address = self._address(number)
            self._non_reading.append(await asyncio.to_thread(NonReadingClient, address))
        for number in range(self._load.slow):
            self._slow.append(
                await asyncio.to_thread(SlowClient, self._address(number))
            )

    async def _visit(self, number: int) -> None:
        chance = random.Random(f"{self._load.seed} {number}")
        while True:
            try:
                listener = await self._listen(chance.randrange(1000), self._visits)
            except OSError:
                self._refused += 1
                await asyncio.sleep(0.1)
                continue
            stay = chance.expovariate(1 / self._load.stay_s)
            try:
                await asyncio.sleep(min(stay, 5 * self._load.stay_s))
            finally:
                gone = listener.gone
                listener.leave(rudely=chance.random() < 0.5)
            if gone:
                await asyncio.sleep(0.1)  # the daemon is not there any more

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            for one in self._not_keeping_up:
                with contextlib.suppress(OSError):
                    one.tick()
                await asyncio.sleep(0)

    async def _catch_up(self) -> int:
        """Wait until all healthy ones have the newest event; its `seq`."""
        self._inbox.empty()
        last = self._inbox.original.newest
        deadline = time.monotonic() + CATCH_UP_S
        while self._behind(last) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        for slow in self._slow:
            await asyncio.to_thread(slow.drain, last, CATCH_UP_S)
        return last

    def _behind(self, last: int) -> bool:
        """Whether a healthy one is still connected, but has not got that event."""
        return any(one.last < last and not one.gone for one in self._listeners)

    def _result(self, last: int) -> dict[str, Any]:
        ones, slow = self._listeners, self._slow
        found: dict[str, Any] = {
            "healthy": self._healthy.counts()
            | {
                "behind_at_the_end": sum(one.last < last for one in ones),
                "first_seq": _range([one.first for one in ones]),
                "last_seq": _range([one.last for one in ones]),
                "predictions": _range([one.predictions for one in ones]),
            },
            "visits": self._visits.counts() | {"refused": self._refused},
            "slow": {
                "lines": sum(one.lines for one in slow),
                "told_dropped": sum(one.dropped for one in slow),
                "wrong_accounts": sum(one.wrong for one in slow),
                "thrown_out": sum(one.thrown_out for one in slow),
            },
            "deaf": {"thrown_out": sum(one.thrown_out for one in self._non_reading)},
            "different_lines": self._inbox.original.different,
        }
        if self._load.timed:
            found["times"] = {
                "line_ms": summary(self._healthy.latencies),
                "delivery_ms": summary(self._healthy.deliveries),
            }
        return found


def _range(values: list[int]) -> list[int]:
    return [min(values), max(values)] if values else []
