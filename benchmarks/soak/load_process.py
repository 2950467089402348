"""`python -m benchmarks.soak.load_process SPEC`: many subscribers in one process.

SPEC is JSON, see `load_generator`. A line on standard output says when all are there,
another at the end what they found; a line on standard input ends it.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.soak.listener import Inbox, Listener, Tally
from benchmarks.soak.slow_clients import NonReadingClient, Slow, connect

AT_ONCE = 50
"""Connections that are made before the first of them must have been answered."""
CATCH_UP_S = 10.0
"""Seconds in which the last event must have come to all."""


class LoadGenerator:
    """All of them."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._inbox = Inbox(spec["timed"])
        self._healthy = Tally()
        self._visits = Tally()
        self._listeners: list[Listener] = []
        self._slow_clients: list[NonReadingClient | Slow] = []
        self._refused = 0

    def _address(self, number: int) -> str:
        addresses: list[str] = self._spec["addresses"]
        return addresses[number % len(addresses)]

    async def run(self) -> dict[str, Any]:
        """Come, stay until told to go, say what was found."""
        await self._come()
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self._visit(number))
            for number in range(self._spec["fickle"])
        ]
        tasks.append(loop.create_task(self._tick()))
        _say({"ready": True})
        begin, cpu = time.monotonic(), time.process_time()
        await loop.run_in_executor(None, sys.stdin.readline)
        wall = time.monotonic() - begin
        cpu = time.process_time() - cpu
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        last = await self._catch_up()
        result = self._result(last) | {
            "seconds": round(wall, 1),
            "own_cpu_percent": round(100 * cpu / wall, 1),
        }
        await self._go()
        return result

    async def _come(self) -> None:
        loop = asyncio.get_running_loop()
        for number in range(self._spec["healthy"]):
            listener = await self._listen(number, self._healthy)
            self._listeners.append(listener)
            if number % AT_ONCE == AT_ONCE - 1:
                await listener.answered
        for listener in self._listeners:
            await listener.answered
        kinds: dict[str, Callable[[str], NonReadingClient | Slow]] = {
            "deaf": NonReadingClient,
            "slow": Slow,
        }
        for name, kind in kinds.items():
            for number in range(self._spec[name]):
                one = await loop.run_in_executor(None, kind, self._address(number))
                self._slow_clients.append(one)

    async def _listen(self, number: int, tally: Tally) -> Listener:
        loop = asyncio.get_running_loop()
        sock = connect(self._address(number))
        _, listener = await loop.create_connection(
            lambda: Listener(self._inbox, tally), sock=sock
        )
        return listener

    async def _visit(self, number: int) -> None:
        chance = random.Random(f"{self._spec['seed']} {number}")
        while True:
            try:
                listener = await self._listen(chance.randrange(1000), self._visits)
            except OSError:
                self._refused += 1
                await asyncio.sleep(0.1)
                continue
            try:
                stay = chance.expovariate(1 / self._spec["stay_s"])
                await asyncio.sleep(min(stay, 5 * self._spec["stay_s"]))
            finally:
                listener.leave(rudely=chance.random() < 0.5)
            if listener.gone:
                await asyncio.sleep(0.1)  # all have disconnected

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            for one in self._slow_clients:
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
        loop = asyncio.get_running_loop()
        slow = [one for one in self._slow_clients if isinstance(one, Slow)]
        for one in slow:
            await loop.run_in_executor(None, one.drain, last, CATCH_UP_S)
        return last

    def _behind(self, last: int) -> int:
        """How many healthy ones are still connected, but have not got that event."""
        return sum(one.last < last and not one.gone for one in self._listeners)

    def _result(self, last: int) -> dict[str, Any]:
        slow = [one for one in self._slow_clients if isinstance(one, Slow)]
        ones = self._listeners
        return {
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
            "deaf": {
                "thrown_out": sum(
                    one.thrown_out
                    for one in self._slow_clients
                    if isinstance(one, NonReadingClient)
                )
            },
            "different_lines": self._inbox.original.different,
            **({"times": self._times()} if self._inbox.timed else {}),
        }

    def _times(self) -> dict[str, Any]:
        """Milliseconds."""
        from benchmarks.soak.latency import summary

        tally = self._healthy
        return {
            "line_ms": summary(tally.latencies),
            "delivery_ms": summary(tally.deliveries),
        }

    async def _go(self) -> None:
        for listener in self._listeners:
            listener.leave()
        for one in self._slow_clients:
            one.close()
        await asyncio.sleep(0.1)


def _range(values: list[int]) -> list[int]:
    return [min(values), max(values)] if values else []


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _say(asyncio.run(LoadGenerator(json.loads(sys.argv[1])).run()))
