"""Faults of M4: what a daemon writes to is full, and files cannot be opened."""

import resource
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.soak import usage
from benchmarks.soak.checks import Check, verdict
from benchmarks.soak.fault_reloads import reload
from benchmarks.soak.recording_client import RecordingClient
from benchmarks.soak.slow_clients import connect
from ser_stream.errors import SerStreamError
from tests.helpers.running_daemon import RunningDaemon, running_daemon

FEW = 40
"""Descriptors that a daemon may have, for the fault that they run out."""
CPU_PERCENT = 20
"""Of a core, that the daemon may need five seconds later."""


def full_log(folder: Path, audio: Path) -> list[Check]:
    """The disk that the log is written to is full from the beginning."""
    folder.mkdir()
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        running_daemon(source=audio, folder=folder, stderr=full) as daemon,
        RecordingClient(daemon.addresses[0]) as client,
    ):
        # Each of these writes a line to the log.
        _, event, _ = reload(daemon, client, "reloaded")
        daemon.process.send_signal(signal.SIGHUP)
        undisturbed = client.sees_more(5)
        status = daemon.stop()
    return [_goes_on("log", "disk full", event is not None, undisturbed, status)]


def full_output(folder: Path, audio: Path) -> list[Check]:
    """Standard output is full, beside a socket that works."""
    folder.mkdir()
    to = ("--to", "stdout:")
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        running_daemon(*to, source=audio, folder=folder, stdout=full) as daemon,
        RecordingClient(daemon.addresses[0]) as client,
    ):
        undisturbed = client.sees_more(5)
        up = daemon.up
        status = daemon.stop()
    what = "standard output beside a socket"
    return [_goes_on(what, "full", up, undisturbed, status)]


def _goes_on(what: str, fault: str, up: bool, undisturbed: bool, status: int) -> Check:
    return verdict(
        f"{what}: {fault}",
        "goes on for its sockets; ends with status 0",
        f"up {up}, undisturbed {undisturbed}, status {status}",
        up and undisturbed and status == 0,
    )


def no_descriptors(folder: Path, audio: Path) -> list[Check]:
    """More connections than the daemon may have files."""
    folder.mkdir()
    with (
        running_daemon(source=audio, folder=folder) as daemon,
        RecordingClient(daemon.addresses[0]) as client,
    ):
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (FEW, FEW))
        with ExitStack() as stack:
            for _ in range(2 * FEW):
                stack.enter_context(connect(daemon.addresses[0]))
            undisturbed = client.sees_more(25)
            cpu = _cpu_share(daemon) if daemon.up else 0.0
        came = _is_served(daemon)
        log = daemon.log.stat().st_size
        up = daemon.up
    return [
        verdict(
            f"{2 * FEW} connections to a daemon that may open {FEW} files",
            "process up, the one before undisturbed, later ones are served again; "
            "neither the processor nor the log is filled by it",
            f"up {up}, undisturbed {undisturbed}, served again {came}, "
            f"{cpu:.0f} % CPU, {log} bytes of log",
            up and undisturbed and came and cpu < CPU_PERCENT and log < 100_000,
        )
    ]


def _is_served(daemon: RunningDaemon) -> bool:
    try:
        with RecordingClient(daemon.addresses[0]) as client:
            return client.sees_more()
    except SerStreamError:
        return False


def _cpu_share(daemon: RunningDaemon) -> float:
    begin, cpu = time.monotonic(), usage.cpu_seconds(daemon.pid)
    time.sleep(1)
    return 100 * (usage.cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)
