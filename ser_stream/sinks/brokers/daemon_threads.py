"""Where a library waits for the network, and nobody for the library."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a thread of its own, which does not outlive the program.

    Python waits for those of a pool when it ends, and a name server or a host that does
    not answer takes minutes. A loop accepts nothing but a pool as its own.
    """

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> "Future[Any]":
        future = Future[Any]()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  who waits for it raises it
                future.set_exception(error)

        threading.Thread(target=work, name="broker-wait", daemon=True).start()
        return future
