"""Subscribers of several kinds, in a process of their own."""

import multiprocessing
from typing import Any, Self

from benchmarks.soak.load_process import Load, run

__all__ = ["Load", "LoadGenerator"]

END_S = 120.0


class LoadGenerator:
    """A context manager that sends them away."""

    def __init__(self, load: Load) -> None:
        """Let them come; returns when the daemon has answered all healthy ones."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=run, args=(load, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._receive()

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise RuntimeError(
                "the subscribers have died; see standard error"
            ) from None

    def end(self) -> dict[str, Any]:
        """Send them away when all have the newest event; what they found."""
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
