"""An asyncio loop in a thread of its own, which lets nothing stop it."""

import asyncio
import logging
import resource
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from ser_stream.log import Every

_LOGGER = logging.getLogger(__name__)
MOST_FILES = 65_536
"""Open files that we ask the system for; some allow a billion, and programs that we
start would look at each."""


class LoopThread:
    """Runs callbacks and coroutines that other threads hand over."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._complain)
        self._complaints = Every(10.0)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=name, daemon=True
        )

    @property
    def started(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def call(self, call: Callable[..., object], *arguments: Any) -> None:
        """Have it called, in the order of these calls; dropped after the end."""
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            # Other threads may go on after ours, and what they then bring is as late as
            # what waited. Only trying tells: the loop may be closed at any moment.
            if not self._loop.is_closed():
                raise

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """End; what still waits is dropped."""
        if self.started:
            self.call(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _complain(
        self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        what, why = context["message"], context.get("exception")
        self._complaints.log(_LOGGER, logging.ERROR, "%s: %s", what, why)


def raise_file_limit() -> int:
    """Let the system give us as many open files as it may; return how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft
