"""A real `ser-stream listen`, in a folder of its own, started and stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

PROGRAM = [sys.executable, "-m", "ser_stream"]
START_S = 60.0
"""Seconds to come up; a busy machine takes long to load the libraries."""
Stream = int | IO[bytes] | None


def private_environment(folder: Path) -> dict[str, str]:
    """An environment in which nothing of the user's is read or written."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SER_STREAM_")}
    places = {"CONFIG": "config", "DATA": "data", "STATE": "state"}
    return clean | {
        **{f"XDG_{k}_HOME": str(folder / v) for k, v in places.items()},
        "XDG_RUNTIME_DIR": str(folder),
    }


class Daemon:
    """A running daemon; a context manager that ends it."""

    def __init__(
        self,
        *arguments: str | Path,
        folder: Path | None = None,
        tcp: bool = True,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.DEVNULL,
        stderr: Stream = None,
    ) -> None:
        """Start it on a Unix socket and, with `tcp`, a port that the system chooses.

        Args:
            arguments: of `listen`, beside its addresses.
            folder: for socket, log and settings; None for a new one. Short: a socket's
                path has to be.
            tcp: needs the log, where the number of the port stands.
            stdin: as `subprocess.Popen` has it.
            stdout: likewise.
            stderr: likewise; None for a log in the folder.
        """
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="soak")
        self.folder = folder or Path(self._own.name if self._own else "")
        self.socket = self.folder / "s.sock"
        self.log = self.folder / "daemon.log"
        to = ["--to", f"unix://{self.socket}"]
        to += ["--to", "tcp://127.0.0.1:0"] if tcp else []
        self.environment = private_environment(self.folder)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "listen", *map(str, arguments), *to],
                stdin=stdin,
                stdout=stdout,
                stderr=log if stderr is None else stderr,
                env=self.environment,
            )
        self.addresses = [f"unix://{self.socket}"]
        """What it can be reached by: the Unix socket, then TCP."""
        try:
            self._wait(tcp)
        except BaseException:
            self.kill()
            raise

    def _wait(self, tcp: bool) -> None:
        deadline = time.monotonic() + START_S
        while True:
            # The file alone may be a dead daemon's.
            ports = re.findall(r"tcp://127\.0\.0\.1:[1-9]\d*", self.log.read_text())
            if answers(self.socket) and (ports or not tcp):
                self.addresses += ports[-1:] if tcp else []
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon does not start: {self.log.read_text()}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @property
    def up(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def command(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run another `ser-stream` command in the daemon's environment."""
        return run(*arguments, environment=self.environment)

    def control(self, do: str) -> "subprocess.CompletedProcess[str]":
        """Run `ser-stream status`, `reload`, ... on its socket, with `--json`."""
        return self.command(do, "--socket", self.socket, "--json")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait.

        Returns:
            The exit status.
        """
        self.process.send_signal(number)
        return self.wait()

    def wait(self, seconds: float = 30) -> int:
        """Wait for its end by itself; the exit status."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it at once, and forget its folder if that was made for it."""
        self.process.kill()
        self.process.wait()
        if self._own:
            self._own.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()


def listening_to(audio: Path, *more: str | Path) -> list[str | Path]:
    """Arguments of `listen` for a file at its own pace."""
    return ["--input", audio, "--pace", "realtime", *more]


def run(
    *arguments: str | Path, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run `ser-stream` to its end."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_S,
        env=environment,
        check=False,
    )


def answers(path: Path) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
