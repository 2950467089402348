"""Work that other threads hand to the worker, which does it between two steps."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ser_stream.errors import SerStreamError

T = TypeVar("T")
CALL_WAIT = 30.0
"""Seconds that it may take to come to a request; opening a device is slow."""


class Mailbox:
    """Anyone submits; one thread does the work, when it calls `do_all`."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._submitting = threading.Lock()
        self._closed = False

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Have `work` done; what it raises belongs to the future."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  it belongs to the caller
                future.set_exception(error)

        with self._submitting:
            # What comes after the last look at the queue would be waited for in vain.
            if self._closed:
                future.set_exception(SerStreamError("the daemon is ending"))
            else:
                self._work.put(run)
        return future

    def call(self, work: Callable[[], T]) -> T:
        """Have `work` done, and wait for what comes of it.

        Raises:
            SerStreamError: if the worker does not come to it; it is not done then,
                also not later.
        """
        future = self.submit(work)
        try:
            return future.result(CALL_WAIT)
        except TimeoutError:
            # Not later either: what is answered must be what holds.
            if future.cancel():
                raise SerStreamError(
                    f"the daemon has not come to it within {CALL_WAIT:g} s; it hangs, "
                    "or waits for a subscriber; nothing was changed"
                ) from None
            return future.result()

    def do_all(self) -> None:
        while not self._work.empty():
            self._work.get_nowait()()

    def close(self) -> None:
        """Refuse what is submitted from now on, and do the rest."""
        with self._submitting:
            self._closed = True
        self.do_all()
