"""Calls in which no signal may raise, in a thread of their own.

Python runs handlers of signals in the main thread, wherever that is. What they raise
inside a callback from C is printed and forgotten: Ctrl-C would be lost, and to the
library look like the end of the file.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
_Job = Callable[[], None]


class Undisturbed:
    """Runs calls one after the other; a signal interrupts the wait for one, not it."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] | None = None
        self._thread: threading.Thread | None = None

    def run(self, function: Callable[[], T]) -> T:
        """What the function returns or raises.

        In the thread that asks, if that is not the main one: no signal comes there.
        """
        if threading.current_thread() is not threading.main_thread():
            return function()
        if self._jobs is None:
            self._jobs = SimpleQueue()
            # Of a pipe, it may wait for what never comes; nobody waits for it then.
            self._thread = threading.Thread(
                target=_work, args=(self._jobs,), daemon=True
            )
            self._thread.start()
        # One for each call: what an interrupted one brings is nobody's.
        results: SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = (
            SimpleQueue()
        )

        def job() -> None:
            try:
                results.put((function(), None))
            except BaseException as error:  # noqa: BLE001  it belongs to the caller
                results.put((None, error))

        self._jobs.put(job)
        result, error = results.get()
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def end(self, last: Callable[[], None], *, wait: bool) -> None:
        """Run a last call after those that are under way, and end the thread."""
        if self._jobs is None or self._thread is None:
            last()
            return
        self._jobs.put(last)
        self._jobs.put(None)
        if wait:
            self._thread.join()

    def __del__(self) -> None:
        # Whoever forgot to close a recording does not keep its thread.
        if self._jobs is not None:
            self._jobs.put(None)


def _work(jobs: "SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        job()
        # What it holds is not kept until the next one comes.
        del job
