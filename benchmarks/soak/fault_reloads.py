"""Faults of M4: what is wrong with what a running daemon is told to read again."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.soak.checks import Check, verdict
from benchmarks.soak.recording_client import Message, RecordingClient
from ser_stream.client import control
from ser_stream.pipeline.bundle import ENCODER, HEAD, MANIFEST, sealed
from tests.helpers.running_daemon import RunningDaemon


def reload(
    daemon: RunningDaemon, client: RecordingClient, state: str
) -> tuple["subprocess.CompletedProcess[bytes]", Message | None, bool]:
    """Reload by the command; its answer, the event, and whether steps went on."""
    after = len(client.messages)
    done = daemon.control("reload")
    event = client.wait_for(
        lambda m: m["type"] == "status" and m["state"] == state, after
    )
    return done, event, client.sees_more()


def _sha256(daemon: RunningDaemon) -> str:
    return str(control("status", daemon.socket)["model"]["sha256"])


def garbage(daemon: RunningDaemon, client: RecordingClient, model: Path) -> list[Check]:
    """The model's files made worthless, each in its way, under a running daemon."""
    old = _sha256(daemon)
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
        done, event, undisturbed = reload(daemon, client, "refused")
        path.write_bytes(whole)
        said = done.stderr.decode().strip()
        checks.append(
            verdict(
                f"reload with a worthless {name}",
                "exit 1, one line; `status model refused`; the old model stays; no "
                "step is missing",
                f"exit {done.returncode}, event {bool(event)}, old model "
                f"{_sha256(daemon) == old}, undisturbed {undisturbed}",
                done.returncode == 1
                and len(said.splitlines()) == 1
                and event is not None
                and event["what"] == "model"
                and _sha256(daemon) == old
                and undisturbed,
            )
        )
    return checks


def bad_configuration(
    daemon: RunningDaemon, client: RecordingClient, config: Path
) -> list[Check]:
    """A configuration with a mistake, of several kinds."""
    whole = config.read_text()
    wrong = {
        "an unknown key": (whole + "stepp = 0.4\n", r"config\.toml:2: .*stepp.*step"),
        "a wrong value": (whole + "step = 7.5\n", r"config\.toml:2: .*step.*7\.5"),
        "no TOML": (whole + "step = = 1\n", r"config\.toml:2: "),
    }
    checks = []
    for what, (text, pattern) in wrong.items():
        config.write_text(text)
        done, event, undisturbed = reload(daemon, client, "refused")
        config.write_text(whole)
        said = done.stderr.decode().strip().replace(f"{config.parent}/", "")
        named = re.search(pattern, said) is not None and len(said.splitlines()) == 1
        checks.append(
            verdict(
                f"reload with {what}",
                "exit 1; file, line and key named; everything stays",
                f"exit {done.returncode}, {said!r}, event {bool(event)}, undisturbed "
                f"{undisturbed}",
                done.returncode == 1 and named and bool(event) and undisturbed,
            )
        )
    return checks


def sighup(daemon: RunningDaemon, client: RecordingClient, config: Path) -> Check:
    """A good change, by a signal."""
    with config.open("a") as file:
        file.write("on_emotion_every_s = 2.0\n")
    after = len(client.messages)
    daemon.process.send_signal(signal.SIGHUP)
    event = client.wait_for(
        lambda m: m["type"] == "status" and m["state"] == "reloaded", after
    )
    named = event is not None and "on_emotion_every_s" in event["detail"]
    undisturbed = client.sees_more()
    return verdict(
        "SIGHUP with a changed setting",
        "`status model reloaded`, which names it; no step is missing",
        f"event {event and event['detail']!r}, undisturbed {undisturbed}",
        named and undisturbed,
    )


def another_model(daemon: RunningDaemon, client: RecordingClient, model: Path) -> Check:
    """Another model in the place of the old one, by the command."""
    path = model / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    manifest["thresholds"]["update_s"] += 0.5
    manifest = sealed(manifest)
    path.write_text(json.dumps(manifest), "utf-8")
    after = len(client.messages)
    done, event, undisturbed = reload(daemon, client, "reloaded")
    hello = client.wait_for(lambda m: m["type"] == "hello", after)
    right = hello is not None and hello["model"]["sha256"] == manifest["sha256"]
    return verdict(
        "reload with another model",
        "exit 0, `status model reloaded`, a new `hello`; no step is missing",
        f"exit {done.returncode}, event {bool(event)}, hello {right}, undisturbed "
        f"{undisturbed}",
        done.returncode == 0 and event is not None and right and undisturbed,
    )
