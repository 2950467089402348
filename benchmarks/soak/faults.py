"""M4: what goes wrong around a daemon, and that it goes on as the design says."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.soak import usage
from benchmarks.soak.audio import write_loop
from benchmarks.soak.checks import Check, none_of, rows, verdict
from benchmarks.soak.fault_limits import full_log, full_output, no_descriptors
from benchmarks.soak.fault_reloads import (
    another_model,
    bad_configuration,
    garbage,
    sighup,
)
from benchmarks.soak.progress import bar
from benchmarks.soak.recording_client import RecordingClient
from ser_stream.client import NotRunningError, control
from ser_stream.pipeline.bundle import find_bundle
from tests.helpers.program import run as run_program
from tests.helpers.running_daemon import RunningDaemon, running_daemon

KILLS = 100
AUDIO_S = 1800.0
VICTIM = """
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'{"type":"subscr')
s.recv(100)
print("half a line", flush=True)
time.sleep(60)
"""


def run(scale: float = 1.0) -> dict[str, Any]:
    """All faults, one each, but many killed subscribers: `scale` is of their number."""
    kills = max(2, round(KILLS * scale))
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="soak") as name:
        folder = Path(name)
        audio = write_loop(folder / "loop.wav", AUDIO_S)
        steps: list[Callable[[], list[Check]]] = [
            lambda: _one_daemon(folder / "one", audio, kills),
            lambda: full_log(folder / "full", audio),
            lambda: full_output(folder / "out", audio),
            lambda: no_descriptors(folder / "few", audio),
        ]
        with (
            bar("faults", len(steps), "daemons") as shown,
            # They mostly wait, and have nothing to do with each other.
            ThreadPoolExecutor(len(steps)) as pool,
        ):
            for found in pool.map(lambda step: step(), steps):
                checks += found
                shown.update(1)
    return {"kills": kills, "checks": rows(checks)}


def _one_daemon(folder: Path, audio: Path, kills: int) -> list[Check]:
    folder.mkdir()
    model = folder / "model"
    shutil.copytree(find_bundle("open"), model)
    config = folder / "config.toml"
    config.write_text(f'model = "{model}"\n')
    arguments = ("--config", config)
    with (
        running_daemon(*arguments, source=audio, folder=folder) as daemon,
        RecordingClient(daemon.addresses[0]) as client,
    ):
        checks = [
            *_killed(daemon, client, kills),
            *garbage(daemon, client, model),
            *bad_configuration(daemon, client, config),
            sighup(daemon, client, config),
            another_model(daemon, client, model),
            _second_daemon(daemon, client, audio),
        ]
        daemon.stop(signal.SIGKILL)
    stale = daemon.socket.exists() and not _answers(daemon)
    with running_daemon(*arguments, source=audio, folder=folder) as successor:
        with RecordingClient(successor.addresses[0]) as client:
            served = stale and client.sees_more()
        status = successor.stop()
        gone = not successor.socket.exists()
    checks.append(
        verdict(
            "a daemon after one that was killed (kill -9)",
            "replaces the stale socket; takes it away at its end",
            f"stale {stale}, served {served}, taken away {gone}, status {status}",
            served and gone and status == 0,
        )
    )
    return checks


def _killed(daemon: RunningDaemon, client: RecordingClient, kills: int) -> list[Check]:
    before = usage.settled_descriptors(daemon.pid)
    for _ in range(kills):
        victim = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", VICTIM, str(daemon.socket)],
            stdout=subprocess.PIPE,
        )
        assert victim.stdout is not None
        with victim.stdout:
            victim.stdout.readline()
            victim.kill()
        victim.wait()
    after = usage.settled_descriptors(daemon.pid, before)
    undisturbed = client.sees_more()
    return [
        verdict(
            f"{kills} subscribers killed (kill -9) in the middle of a line",
            "process up; the other gets every event",
            f"up {daemon.up}, undisturbed {undisturbed}",
            daemon.up and undisturbed,
        ),
        none_of("descriptors left over by them", after - before),
    ]


def _second_daemon(
    daemon: RunningDaemon, client: RecordingClient, audio: Path
) -> Check:
    to = ("--to", daemon.addresses[0])
    done = run_program("listen", "--input", audio, *to, environment=daemon.environment)
    lines = done.stderr.splitlines()
    undisturbed = client.sees_more() and _answers(daemon)
    return verdict(
        "a second daemon on the same socket",
        "exit 5, one line; the first is undisturbed",
        f"exit {done.returncode}, {len(lines)} lines, undisturbed {undisturbed}",
        done.returncode == 5 and len(lines) == 1 and undisturbed,
    )


def _answers(daemon: RunningDaemon) -> bool:
    try:
        control("status", daemon.socket)
    except NotRunningError:
        return False
    return True
