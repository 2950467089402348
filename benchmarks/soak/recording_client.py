"""One subscriber within the program that keeps all it is told, for the faults."""

import json
import socket
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Self

from benchmarks.soak.listener import STEP_MS
from benchmarks.soak.slow_clients import connect

Message = dict[str, Any]
WAIT_S = 20.0


class RecordingClient:
    """Reads in a thread of its own; a context manager that leaves."""

    def __init__(self, address: str) -> None:
        """Connect, and wait for the first prediction."""
        self._socket = connect(address)
        self._socket.settimeout(None)
        self.messages: list[Message] = []
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.wait_for(lambda m: m["type"] == "prediction")

    def _run(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                with self._changed:
                    self.messages.append(json.loads(line))
                    self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def wait_for(
        self, wanted: Callable[[Message], bool], after: int = 0
    ) -> Message | None:
        """The first such message from the number `after` on; None if it never comes."""
        deadline = time.monotonic() + WAIT_S
        with self._changed:
            while True:
                for message in self.messages[after:]:
                    if wanted(message):
                        return message
                remaining = deadline - time.monotonic()
                if self._over or remaining <= 0:
                    return None
                self._changed.wait(remaining)

    def status(self) -> Message:
        """Ask the daemon how it is, on the Unix socket.

        Raises:
            RuntimeError: if it does not answer.
        """
        after = len(self.messages)
        self._socket.sendall(b'{"type":"control","id":1,"do":"status"}\n')
        answer = self.wait_for(lambda m: m["type"] == "reply", after)
        if answer is None or not answer["ok"]:
            raise RuntimeError(f"the daemon does not tell its status: {answer}")
        result: Message = answer["result"]
        return result

    def sees_more(self, steps: int = 2) -> bool:
        """Whether so many more predictions come, and all until now were in order."""
        for _ in range(steps):
            after = len(self.messages)
            if self.wait_for(lambda m: m["type"] == "prediction", after) is None:
                return False
        return self.undisturbed

    @property
    def undisturbed(self) -> bool:
        """Whether it was told everything once, in order, at every step."""
        messages = list(self.messages)
        seqs = [m["seq"] for m in messages if "seq" in m]
        ends = [m["end_ms"] for m in messages if m["type"] == "prediction"]
        return (
            all(b == a + 1 for a, b in pairwise(seqs))
            and all(b == a + STEP_MS for a, b in pairwise(ends))
            and not any(m["type"] in ("dropped", "bye") for m in messages)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._over:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
