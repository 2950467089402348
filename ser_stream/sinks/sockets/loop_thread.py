"""An asyncio loop in a thread of its own, which lets nothing stop it."""

import asyncio
import logging
import resource
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

_LOGGER = logging.getLogger(__name__)
MOST_FILES = 65_536
"""Open files that we ask the system for; some allow a billion, and programs that we
start would look at each."""
COMPLAINT_EVERY = 10.0
"""Seconds between two complaints in the log."""


class LoopThread:
    """Runs callbacks and coroutines that other threads hand over."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(Complaints())
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=name, daemon=True
        )

    @property
    def started(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def call(self, call: Callable[..., object], *arguments: Any) -> None:
        """Have it called, in the order of these calls."""
        self._loop.call_soon_threadsafe(call, *arguments)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait until it is done."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """End; what still waits is dropped."""
        if self.started:
            self.call(self._loop.stop)
            self._thread.join()
        self._loop.close()


class Complaints:
    """Puts what goes wrong into the log: a line, and not every second."""

    def __init__(self) -> None:
        self._last = -COMPLAINT_EVERY

    def __call__(
        self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        now = time.monotonic()
        if now - self._last >= COMPLAINT_EVERY:
            self._last = now
            why = context.get("exception")
            _LOGGER.error("%s: %s", context["message"], why)


def raise_file_limit() -> int:
    """Let the system give us as many open files as it may; return how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft
