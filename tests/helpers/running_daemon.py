"""A real `ser-stream listen` on a socket, for tests and for the soak."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ser_stream.client import NotRunningError, RefusedError, Stream, connect, control
from tests.helpers.paths import MINUTE
from tests.helpers.program import COMMAND, ENVIRONMENT, run

START_S = 60.0
"""Seconds to come up; a busy machine takes long to load the libraries."""


@dataclass
class RunningDaemon:
    """The process, and where it listens."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    log: Path
    environment: Mapping[str, str]
    tcp: str = ""
    """Its TCP address, if it has one."""

    @property
    def socket(self) -> Path:
        return self.folder / "d.sock"

    @property
    def addresses(self) -> list[str]:
        """The Unix socket, then TCP."""
        return [f"unix://{self.socket}", *([self.tcp] if self.tcp else [])]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def up(self) -> bool:
        return self.process.poll() is None

    def subscribe(self, **options: object) -> Stream:
        """Read from it, without connecting again."""
        return connect(self.addresses[0], reconnect=False, **options)  # type: ignore[arg-type]

    def control(self, do: str) -> "subprocess.CompletedProcess[bytes]":
        """Run `ser-stream status`, `reload`, ... on its socket, with `--json`."""
        socket = ("--socket", self.socket)
        return run(do, *socket, "--json", environment=self.environment)

    def stop(self, number: int = signal.SIGTERM, within: float = 120) -> int:
        """End it in order; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(within)


@contextlib.contextmanager
def running_daemon(
    *arguments: str | Path,
    source: str | Path = MINUTE,
    environment: Mapping[str, str] = ENVIRONMENT,
    folder: Path | None = None,
    tcp: bool = False,
    program: Sequence[str] = COMMAND,
    stdin: int | None = None,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
) -> Iterator[RunningDaemon]:
    """Start one, wait until it says how it is; kill it in the end if it still runs.

    Args:
        arguments: of `listen`, beside its source and addresses.
        source: what it hears; a file at real-time pace, if nothing else is said.
        environment: in which it runs, but for its state.
        folder: for socket, log and state; None for one of its own. Short: a socket's
            path has to be.
        tcp: whether to listen on TCP too, on a port that the system chooses.
        program: `ser-stream`, or what does the same.
        stdin: as `subprocess.Popen` has it.
        stdout: None for the log.
        stderr: likewise; TCP needs the log, where the number of the port stands.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            # Not pytest's folder: a socket's path has to be short.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = folder / "log"
        environment = {**environment, "XDG_STATE_HOME": str(folder / "state")}
        to = ["--to", f"unix://{folder / 'd.sock'}"]
        to += ["--to", "tcp://127.0.0.1:0"] if tcp else []
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*program, "listen", "--input", str(source), *to, *map(str, arguments)],
                stdin=stdin,
                stdout=stdout or output,
                stderr=stderr or output,
                env=environment,
            )
        daemon = RunningDaemon(process, folder, log, environment)
        try:
            _wait_for(daemon, tcp)
            yield daemon
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait(120)
            if process.stdin is not None:
                process.stdin.close()


def _wait_for(daemon: RunningDaemon, tcp: bool) -> None:
    deadline = time.monotonic() + START_S
    while True:
        ports = re.findall(r"tcp://127\.0\.0\.1:[1-9]\d*", daemon.log.read_text())
        try:
            answers = control("status", daemon.socket)["uptime_s"] >= 0
        except NotRunningError:
            assert daemon.up, daemon.log.read_text()
            answers = False
        except RefusedError:
            # It is still starting; where it reads from us, it waits for what we write.
            answers = daemon.process.stdin is not None
        if answers and (ports or not tcp):
            break
        assert time.monotonic() < deadline, daemon.log.read_text()
        time.sleep(0.02)
    daemon.tcp = ports[-1] if tcp else ""
