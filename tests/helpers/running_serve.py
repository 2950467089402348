"""A real `ser-stream serve` on real sockets, for tests and for benchmarks."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.program import COMMAND, ENVIRONMENT

START_S = 60.0
"""Seconds to come up; a busy machine takes long to load the libraries."""
KINDS = ("tcp", "ws", "wyoming")


@dataclass
class RunningServe:
    """The process, and where it listens."""

    process: "subprocess.Popen[bytes]"
    addresses: dict[str, str]
    """URIs, by kind of address."""
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def port(self, kind: str) -> int:
        return int(self.addresses[kind].rpartition(":")[2])

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208  only their number

    def stop(self, within: float = 120) -> int:
        """End it in order; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)


@contextlib.contextmanager
def running_serve(
    *arguments: str | Path,
    kinds: tuple[str, ...] = ("tcp", "ws", "unix"),
    listen: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    unread: bool = False,
) -> Iterator[RunningServe]:
    """Start one, wait until it listens; kill it in the end if it still runs.

    Where its standard output is to be `unread`, that is a pipe whose reader has left.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        socket = f"unix://{folder / 's.sock'}"
        listen += tuple(socket if k == "unix" else f"{k}://127.0.0.1:0" for k in kinds)
        options = [word for uri in listen for word in ("--listen", uri)]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*COMMAND, "serve", *options, *map(str, arguments)],
                stdout=subprocess.PIPE if unread else output,
                stderr=output,
                env={**ENVIRONMENT, **(environment or {})},
            )
        if process.stdout is not None:
            process.stdout.close()
        try:
            yield RunningServe(process, _addresses(process, log), log)
        finally:
            process.kill()
            process.wait(120)


def _addresses(process: "subprocess.Popen[bytes]", log: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_S
    while not (found := re.search(r"send audio to (.*)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return {uri.partition(":")[0]: uri for uri in found[1].split(", ")}
