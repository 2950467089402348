"""Several `ser-stream serve` under one NATS server, and clients that speak."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import soundfile

from ser_stream.client import send
from ser_stream.client.by_nats import NatsStream
from tests.helpers.paths import MINUTE
from tests.helpers.running_serve import RunningServe, running_serve
from tests.helpers.socket_server import wait_until

PIECE_S = 0.1
"""Seconds of audio that are written at once."""


@contextlib.contextmanager
def fleet(uri: str, workers: int, *arguments: str) -> Iterator[list[RunningServe]]:
    """So many workers, which come up together."""
    contexts = [
        running_serve(*arguments, kinds=(), listen=(uri,)) for _ in range(workers)
    ]
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(workers) as threads:
        started = [threads.submit(context.__enter__) for context in contexts]
        for context in contexts:
            stack.push(context.__exit__)
        yield [one.result() for one in started]


def worker_id(worker: RunningServe) -> str:
    """What its log calls it, once it is connected."""
    wait_until(lambda: "to worker" in worker.log.read_text())
    found = re.search(r"to worker (\w+)", worker.log.read_text())
    assert found is not None
    return found[1]


class Speaker:
    """Sends the minute over and over, as it is spoken; keeps what it is told, and when.

    A context manager that ends its audio, and waits for the last it is told.
    """

    def __init__(self, uri: str, name: str = "") -> None:
        self._stream = send(uri, name=name)
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self._over = threading.Event()
        work = (self._speak, self._hear)
        self._threads = [threading.Thread(target=one, daemon=True) for one in work]
        for thread in self._threads:
            thread.start()

    def _speak(self) -> None:
        samples, rate = soundfile.read(MINUTE, dtype="int16")
        step = round(PIECE_S * rate)
        at, due = 0, time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            self._stream.write(samples[at : at + step].tobytes())
            at, due = (at + step) % (len(samples) - step), due + PIECE_S
        self._stream.end()

    def _hear(self) -> None:
        for message in self._stream.events(60):
            self.heard.append((time.monotonic(), dict(message)))

    @property
    def worker(self) -> str:
        """The id of the one that it has now."""
        assert isinstance(self._stream, NatsStream)
        return self._stream.worker

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for _, message in list(self.heard)]

    def count(self, type: str) -> int:
        return sum(message["type"] == type for message in self.messages)

    @property
    def streams(self) -> int:
        """How many it was told that it is; one more each time that it moves."""
        return len({m["stream"] for m in self.messages if m["type"] == "hello"})

    def __enter__(self) -> "Speaker":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._stream.close()
