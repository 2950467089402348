"""One subscriber within the program that keeps all it is told, for the faults."""

import contextlib
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Self, cast

from benchmarks.soak.listener import STEP_MS
from ser_stream.client import connect
from ser_stream.errors import SerStreamError

Message = dict[str, Any]
WAIT_S = 20.0


class RecordingClient:
    """Reads in a thread of its own; a context manager that leaves."""

    def __init__(self, address: str) -> None:
        """Connect, and wait for the first prediction.

        Raises:
            SerStreamError: if it is not served.
        """
        self._stream = connect(address, reconnect=False)
        self.messages: list[Message] = []
        self.times: list[float] = []
        """`time.monotonic` when each of them came."""
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.wait_for(lambda m: m["type"] == "prediction")

    def _run(self) -> None:
        with contextlib.suppress(SerStreamError):
            for message in self._stream:
                with self._changed:
                    self.times.append(time.monotonic())
                    self.messages.append(cast(Message, message))
                    self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def find(
        self, wanted: Callable[[Message], bool], after: int = 0, within: float = WAIT_S
    ) -> int | None:
        """Number of the first such message from `after` on; None if none comes."""
        deadline = time.monotonic() + within
        with self._changed:
            while True:
                while after < len(self.messages):
                    if wanted(self.messages[after]):
                        return after
                    after += 1
                remaining = deadline - time.monotonic()
                if self._over or remaining <= 0:
                    return None
                self._changed.wait(remaining)

    def wait_for(
        self, wanted: Callable[[Message], bool], after: int = 0
    ) -> Message | None:
        """The first such message from the number `after` on; None if it never comes."""
        found = self.find(wanted, after)
        return None if found is None else self.messages[found]

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
        self._stream.close()
        self._thread.join()
