"""Clients in a process of their own: they come, stay, and tell what they found."""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any, Self

END_S = 120.0
Work = Callable[..., Awaitable[dict[str, Any]]]
"""`work(addresses, number, ready, over)`: sets `ready`, stays until `over`."""


class Child:
    """A context manager that ends it."""

    def __init__(self, work: Work, addresses: dict[str, str], number: int) -> None:
        """Start; returns when all clients are there."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(work, addresses, number, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def end(self) -> dict[str, Any]:
        """Have them leave in order; what they found."""
        self._pipe.send(None)
        found: dict[str, Any] = self._pipe.recv()
        self._process.join(END_S)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()


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
