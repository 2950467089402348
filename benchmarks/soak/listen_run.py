"""A `ser-stream listen` on a microphone: its lines, and when each of them came."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from benchmarks.soak import usage

_PROGRAM = """
import sys
from ser_stream.sources import dead_signal as zeros
zeros.ZEROS_S = float(sys.argv.pop(1))
from ser_stream.cli import main_and_exit
main_and_exit()
"""
"""The real one, less patient with a microphone that delivers zeros."""


class Line(NamedTuple):
    """One line of the program."""

    at: float
    """`time.monotonic` when it came."""
    message: dict[str, Any]


class ListenRun:
    """Reads all lines in a thread of its own; a context manager that ends the program.

    Its clock is judged by where predictions end: sample and moment have to agree.
    """

    def __init__(
        self, source: str, environment: Mapping[str, str], zeros_s: float
    ) -> None:
        """Start it.

        Args:
            source: of `--input`.
            environment: in which the microphone is heard.
            zeros_s: after so long of zeros the program acts.
        """
        arguments = ["listen", "--input", source, "--format", "json"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(zeros_s), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self._statuses: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._predictions: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._zero = 0.0
        self._zero = self.clock_error(10)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line = Line(time.monotonic(), json.loads(text))
            if line.message["type"] == "prediction":
                self._predictions.put(line)
            elif line.message["type"] == "status":
                self._statuses.put(line)

    @property
    def up(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def statuses(self, last: str, wait: float) -> list[Line]:
        """What is said of the audio, up to the first `last`, or for `wait` seconds."""
        deadline = time.monotonic() + wait
        found: list[Line] = []
        while not found or found[-1].message["state"] != last:
            try:
                left = max(0.0, deadline - time.monotonic())
                line = self._statuses.get(timeout=left)
            except queue.Empty:
                break
            if line.message["what"] == "audio":
                found.append(line)
        return found

    def clock_error(self, n: int = 3) -> float:
        """Seconds by which the next n predictions come late, measured by the earliest.

        Against the first ones; negative where samples are counted that never were.
        """
        while not self._predictions.empty():
            self._predictions.get()
        lines = [self._predictions.get(timeout=20) for _ in range(n)]
        delays = [line.at - float(line.message["end_ms"]) / 1000 for line in lines]
        return min(delays) - self._zero

    def cpu_seconds(self) -> float:
        """Processor time so far, that of children that have ended too."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1]
        return sum(map(int, stat.split()[11:15])) / usage.TICKS

    def usage(self) -> dict[str, float]:
        """Memory in MB, and descriptors."""
        pid = self.process.pid
        return {
            "rss_mb": usage.rss_mb(pid),
            "descriptors": usage.settled_descriptors(pid),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


def states(lines: Sequence[Line]) -> list[str]:
    """The states of statuses."""
    return [line.message["state"] for line in lines]
