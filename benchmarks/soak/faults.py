"""M4: what goes wrong around a daemon, and that it goes on as the design says."""

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.soak import usage
from benchmarks.soak.audio import write_loop
from benchmarks.soak.checks import Check, none_of, rows
from benchmarks.soak.daemon import Daemon, answers, run as run_program
from benchmarks.soak.progress import bar
from benchmarks.soak.sluggards import connect
from benchmarks.soak.witness import Message, Witness
from ser_stream.bundle import ENCODER, HEAD, MANIFEST, find_bundle, manifest_hash

KILLS = 100
AUDIO_S = 1800.0
FEW = 40
"""Descriptors that a daemon may have, for the fault that they run out."""
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
    """All faults, one after another.

    Args:
        scale: of the number of killed subscribers; the other faults are one each.
    """
    kills = max(2, round(KILLS * scale))
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="soak") as name:
        folder = Path(name)
        audio = write_loop(folder / "loop.wav", AUDIO_S)
        steps: list[Callable[[], list[Check]]] = [
            lambda: _one_daemon(folder / "one", audio, kills),
            lambda: _full_log(folder / "full", audio),
            lambda: _full_output(folder / "out", audio),
            lambda: _no_descriptors(folder / "few", audio),
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


def _listen(audio: Path, *more: str | Path) -> list[str | Path]:
    return ["--input", audio, "--pace", "realtime", *more]


def _yes(what: str, target: str, measured: str, met: bool) -> Check:
    return Check(what, target, measured if met else f"NOT: {measured}", met)


def _one_daemon(folder: Path, audio: Path, kills: int) -> list[Check]:
    folder.mkdir()
    model = folder / "model"
    shutil.copytree(find_bundle("open"), model)
    config = folder / "config.toml"
    config.write_text(f'model = "{model}"\n')
    arguments = _listen(audio, "--config", config)
    with (
        Daemon(*arguments, folder=folder) as daemon,
        Witness(daemon.addresses[0]) as witness,
    ):
        checks = [
            *_killed(daemon, witness, kills),
            *_garbage(daemon, witness, model),
            *_bad_configuration(daemon, witness, config),
            _sighup(daemon, witness, config),
            _another_model(daemon, witness, model),
            _second_daemon(daemon, witness, arguments),
        ]
        daemon.end(signal.SIGKILL)
    stale = daemon.socket.exists() and not answers(daemon.socket)
    with Daemon(*arguments, folder=folder) as heir:
        with Witness(heir.addresses[0]) as witness:
            served = stale and witness.sees_more()
        status = heir.end()
        gone = not heir.socket.exists()
    checks.append(
        _yes(
            "a daemon after one that was killed (kill -9)",
            "replaces the stale socket; takes it away at its end",
            f"stale {stale}, served {served}, taken away {gone}, status {status}",
            served and gone and status == 0,
        )
    )
    return checks


def _killed(daemon: Daemon, witness: Witness, kills: int) -> list[Check]:
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
    undisturbed = witness.sees_more()
    return [
        _yes(
            f"{kills} subscribers killed (kill -9) in the middle of a line",
            "process up; the other gets every event",
            f"up {daemon.up}, undisturbed {undisturbed}",
            daemon.up and undisturbed,
        ),
        none_of("descriptors left over by them", after - before),
    ]


def _reload(
    daemon: Daemon, witness: Witness, state: str
) -> tuple["subprocess.CompletedProcess[str]", Message | None, bool]:
    """Reload by the command; its answer, the event, and whether steps went on."""
    after = len(witness.messages)
    done = daemon.control("reload")
    event = witness.wait_for(
        lambda m: m["type"] == "status" and m["state"] == state, after
    )
    return done, event, witness.sees_more()


def _sha256(witness: Witness) -> str:
    return str(witness.status()["model"]["sha256"])


def _garbage(daemon: Daemon, witness: Witness, model: Path) -> list[Check]:
    """The model's files made worthless, each in its way, under a running daemon."""
    old = _sha256(witness)
    damage: dict[str, Callable[[bytes], bytes]] = {
        ENCODER: lambda data: b"\x00garbage" * 1000,
        HEAD: lambda data: data[: len(data) // 2],
        MANIFEST: lambda data: b"{",
    }
    checks = []
    for name, worsen in damage.items():
        path = model / name
        whole = path.read_bytes()
        path.write_bytes(worsen(whole))
        done, event, undisturbed = _reload(daemon, witness, "refused")
        path.write_bytes(whole)
        said = done.stderr.strip()
        checks.append(
            _yes(
                f"reload with a worthless {name}",
                "exit 1, one line; `status model refused`; the old model stays; no "
                "step is missing",
                f"exit {done.returncode}, event {bool(event)}, old model "
                f"{_sha256(witness) == old}, undisturbed {undisturbed}",
                done.returncode == 1
                and len(said.splitlines()) == 1
                and event is not None
                and event["what"] == "model"
                and _sha256(witness) == old
                and undisturbed,
            )
        )
    return checks


def _bad_configuration(daemon: Daemon, witness: Witness, config: Path) -> list[Check]:
    whole = config.read_text()
    wrong = {
        "an unknown key": (whole + "stepp = 0.4\n", r"config\.toml:2: .*stepp.*step"),
        "a wrong value": (whole + "step = 7.5\n", r"config\.toml:2: .*step.*7\.5"),
        "no TOML": (whole + "step = = 1\n", r"config\.toml:2: "),
    }
    checks = []
    for what, (text, pattern) in wrong.items():
        config.write_text(text)
        done, event, undisturbed = _reload(daemon, witness, "refused")
        config.write_text(whole)
        said = done.stderr.strip().replace(f"{config.parent}/", "")
        named = re.search(pattern, said) is not None and len(said.splitlines()) == 1
        checks.append(
            _yes(
                f"reload with {what}",
                "exit 1; file, line and key named; everything stays",
                f"exit {done.returncode}, {said!r}, event {bool(event)}, undisturbed "
                f"{undisturbed}",
                done.returncode == 1 and named and bool(event) and undisturbed,
            )
        )
    return checks


def _sighup(daemon: Daemon, witness: Witness, config: Path) -> Check:
    with config.open("a") as file:
        file.write("on_emotion_every_s = 2.0\n")
    after = len(witness.messages)
    daemon.process.send_signal(signal.SIGHUP)
    event = witness.wait_for(
        lambda m: m["type"] == "status" and m["state"] == "reloaded", after
    )
    named = event is not None and "on_emotion_every_s" in event["detail"]
    undisturbed = witness.sees_more()
    return _yes(
        "SIGHUP with a changed setting",
        "`status model reloaded`, which names it; no step is missing",
        f"event {event and event['detail']!r}, undisturbed {undisturbed}",
        named and undisturbed,
    )


def _another_model(daemon: Daemon, witness: Witness, model: Path) -> Check:
    path = model / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    manifest["licence"] += " (a copy)"
    manifest["sha256"] = manifest_hash(manifest)
    path.write_text(json.dumps(manifest), "utf-8")
    after = len(witness.messages)
    done, event, undisturbed = _reload(daemon, witness, "reloaded")
    hello = witness.wait_for(lambda m: m["type"] == "hello", after)
    right = hello is not None and hello["model"]["sha256"] == manifest["sha256"]
    return _yes(
        "reload with another model",
        "exit 0, `status model reloaded`, a new `hello`; no step is missing",
        f"exit {done.returncode}, event {bool(event)}, hello {right}, undisturbed "
        f"{undisturbed}",
        done.returncode == 0 and event is not None and right and undisturbed,
    )


def _second_daemon(
    daemon: Daemon, witness: Witness, arguments: list[str | Path]
) -> Check:
    done = run_program(
        "listen",
        *arguments,
        "--to",
        f"unix://{daemon.socket}",
        environment=daemon.environment,
    )
    lines = done.stderr.splitlines()
    undisturbed = witness.sees_more() and answers(daemon.socket)
    return _yes(
        "a second daemon on the same socket",
        "exit 5, one line; the first is undisturbed",
        f"exit {done.returncode}, {len(lines)} lines, undisturbed {undisturbed}",
        done.returncode == 5 and len(lines) == 1 and undisturbed,
    )


def _full_log(folder: Path, audio: Path) -> list[Check]:
    folder.mkdir()
    with ExitStack() as stack:
        full = stack.enter_context(Path("/dev/full").open("wb", buffering=0))
        daemon = stack.enter_context(
            Daemon(*_listen(audio), folder=folder, tcp=False, stderr=full)
        )
        with Witness(daemon.addresses[0]) as witness:
            # Each of these writes a line to the log.
            _, event, _ = _reload(daemon, witness, "reloaded")
            daemon.process.send_signal(signal.SIGHUP)
            undisturbed = witness.sees_more(5)
        status = daemon.end()
    return [_goes_on("log", "disk full", event is not None, undisturbed, status)]


def _full_output(folder: Path, audio: Path) -> list[Check]:
    folder.mkdir()
    with ExitStack() as stack:
        full = stack.enter_context(Path("/dev/full").open("wb", buffering=0))
        daemon = stack.enter_context(
            Daemon(*_listen(audio, "--to", "stdout:"), folder=folder, stdout=full)
        )
        with Witness(daemon.addresses[1]) as witness:
            undisturbed = witness.sees_more(5)
            up = daemon.up
        status = daemon.end()
    return [_goes_on("standard output beside a socket", "full", up, undisturbed, status)]


def _goes_on(what: str, fault: str, up: bool, undisturbed: bool, status: int) -> Check:
    return _yes(
        f"{what}: {fault}",
        "goes on for its sockets; ends with status 0",
        f"up {up}, undisturbed {undisturbed}, status {status}",
        up and undisturbed and status == 0,
    )


def _no_descriptors(folder: Path, audio: Path) -> list[Check]:
    """More connections than the daemon may have files."""
    folder.mkdir()
    with (
        Daemon(*_listen(audio), folder=folder) as daemon,
        Witness(daemon.addresses[0]) as witness,
    ):
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (FEW, FEW))
        with ExitStack() as stack:
            for _ in range(2 * FEW):
                stack.enter_context(connect(daemon.addresses[0]))
            undisturbed = witness.sees_more(10)
            cpu = _cpu_share(daemon) if daemon.up else 0.0
        came = _is_served(daemon)
        log = daemon.log.stat().st_size
        up = daemon.up
    return [
        _yes(
            f"{2 * FEW} connections to a daemon that may open {FEW} files",
            "process up, the one before undisturbed, later ones are served again; "
            "neither the processor nor the log is filled by it",
            f"up {up}, undisturbed {undisturbed}, served again {came}, {cpu:.0f} % CPU, "
            f"{log} bytes of log",
            up and undisturbed and came and cpu < 50 and log < 100_000,
        )
    ]


def _is_served(daemon: Daemon) -> bool:
    try:
        with Witness(daemon.addresses[0]) as witness:
            return witness.sees_more()
    except OSError:
        return False


def _cpu_share(daemon: Daemon) -> float:
    begin, cpu = time.monotonic(), usage.cpu_seconds(daemon.pid)
    time.sleep(1)
    return 100 * (usage.cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)
