"""What a process uses: memory, descriptors and processor, watched from outside."""

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
POINTS = 300
"""Of a series, as many as are kept for the figure."""


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, that of children that have ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS


def rss_mb(pid: int) -> float:
    """Resident memory, MB of 10^6 bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  only their number


def settled_descriptors(pid: int, wanted: int | None = None, wait: float = 5) -> int:
    """The number when it has not changed for half a second, or is what is wanted."""
    deadline = time.monotonic() + wait
    last, since = descriptors(pid), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.05)
        now = descriptors(pid)
        if now != last:
            last, since = now, time.monotonic()
        elif now == wanted or time.monotonic() - since > 0.5:
            break
    return last


@dataclass
class Series:
    """Memory and descriptors of a process over time; a context manager that samples."""

    pid: int
    every_s: float = 1.0
    seconds: list[float] = field(default_factory=list)
    """Since the beginning."""
    rss: list[float] = field(default_factory=list)
    """MB."""
    fds: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._begin = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.rss.append(rss_mb(self.pid))
                self.fds.append(descriptors(self.pid))
            except (OSError, IndexError):
                break  # it is gone
            self.seconds.append(time.monotonic() - self._begin)
            self._over.wait(self.every_s)
        del self.rss[len(self.seconds) :]

    def after(self, seconds: float) -> list[float]:
        """Memory from a moment on, MB."""
        return [m for s, m in zip(self.seconds, self.rss, strict=True) if s >= seconds]

    def kept(self) -> dict[str, Any]:
        """For the figure: time in seconds, memory in MB, descriptors."""
        step = max(1, len(self.seconds) // POINTS)
        return {
            "seconds": [round(s, 1) for s in self.seconds[::step]],
            "rss_mb": [round(m, 2) for m in self.rss[::step]],
            "descriptors": self.fds[: len(self.seconds)][::step],
        }
