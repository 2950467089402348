"""A real daemon on a socket, hearing a recording at real-time pace."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ser_stream.client import NotRunningError, Stream, connect, control
from tests.helpers.paths import MINUTE
from tests.helpers.program import COMMAND, ENVIRONMENT


@dataclass
class RunningDaemon:
    """The process, and where it listens."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    log: Path

    @property
    def socket(self) -> Path:
        return self.folder / "d.sock"

    def subscribe(self, **options: object) -> Stream:
        """Read from it, without connecting again."""
        return connect(f"unix://{self.socket}", reconnect=False, **options)  # type: ignore[arg-type]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it in order; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(120)


@contextlib.contextmanager
def running_daemon(
    *arguments: str | Path,
    source: str | Path = MINUTE,
    environment: Mapping[str, str] = ENVIRONMENT,
    folder: Path | None = None,
) -> Iterator[RunningDaemon]:
    """Start one, wait until it says how it is; kill it in the end if it still runs."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            # Not pytest's folder: a socket's path has to be short.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = folder / "log"
        state = {"XDG_STATE_HOME": str(folder / "state")}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [
                    *COMMAND,
                    "listen",
                    *("--input", str(source)),
                    *("--to", f"unix://{folder / 'd.sock'}"),
                    *map(str, arguments),
                ],
                stdout=output,
                stderr=output,
                env={**environment, **state},
            )
        daemon = RunningDaemon(process, folder, log)
        try:
            _wait_for(daemon)
            yield daemon
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait(120)


def _wait_for(daemon: RunningDaemon) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if control("status", daemon.socket)["uptime_s"] >= 0:
                return
        except NotRunningError:
            assert daemon.process.poll() is None, daemon.log.read_text()
            assert time.monotonic() < deadline, daemon.log.read_text()
            time.sleep(0.02)
