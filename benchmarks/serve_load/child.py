"""Clients in a process of their own: they come, stay, and tell what they found."""

import asyncio
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.child_process import ChildProcess

Work = Callable[..., Awaitable[dict[str, Any]]]
"""`work(addresses, number, ready, over)`: sets `ready`, stays until `over`."""


class Child(ChildProcess):
    """A context manager that ends it; then the clients leave in order."""

    def __init__(self, work: Work, addresses: dict[str, str], number: int) -> None:
        """Start; returns when all clients are there."""
        super().__init__(_run, work, addresses, number)


def _run(work: Work, addresses: dict[str, str], number: int, pipe: Connection) -> None:
    async def all_of_it() -> dict[str, Any]:
        ready, over = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(pipe.fileno(), over.set)
        task = asyncio.create_task(_as_coroutine(work, addresses, number, ready, over))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return await task  # it failed
        pipe.send(None)
        found = await task
        loop.remove_reader(pipe.fileno())
        return found

    pipe.send(asyncio.run(all_of_it()))


async def _as_coroutine(work: Work, *arguments: Any) -> dict[str, Any]:
    return await work(*arguments)
