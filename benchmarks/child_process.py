"""A load in a process of its own, so that it does not share the interpreter's lock."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

END_S = 120.0


class ChildProcess:
    """A context manager that ends it."""

    def __init__(self, run: Callable[..., None], *arguments: object) -> None:
        """Start; returns when it says that it is there.

        `run(*arguments, pipe)` sends anything when it is there, waits until something
        comes, and sends what it found.
        """
        context = multiprocessing.get_context("spawn")
        self._pipe: Connection
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=run, args=(*arguments, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self._receive()

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise RuntimeError("the load has died; see standard error") from None

    def end(self) -> dict[str, Any]:
        """Have it end in order; what it found."""
        self._pipe.send(None)
        found: dict[str, Any] = self._receive()
        self._process.join(END_S)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()
