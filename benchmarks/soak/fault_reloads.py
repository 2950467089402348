"""Faults of M4: what is wrong with what a running daemon is told to read again."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.soak.checks import Check, verdict
from benchmarks.soak.daemon import Daemon
from benchmarks.soak.recording_client import Message, RecordingClient
from ser_stream.pipeline.bundle import ENCODER, HEAD, MANIFEST, sealed


def reload(
    daemon: Daemon, witness: RecordingClient, state: str
) -> tuple["subprocess.CompletedProcess[str]", Message | None, bool]:
    """Reload by the command; its answer, the event, and whether steps went on."""
    after = len(witness.messages)
    done = daemon.control("reload")
    event = witness.wait_for(
        lambda m: m["type"] == "status" and m["state"] == state, after
    )
    return done, event, witness.sees_more()


def _sha256(witness: RecordingClient) -> str:
    return str(witness.status()["model"]["sha256"])


def garbage(daemon: Daemon, witness: RecordingClient, model: Path) -> list[Check]:
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
        done, event, undisturbed = reload(daemon, witness, "refused")
        path.write_bytes(whole)
        said = done.stderr.strip()
        checks.append(
            verdict(
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


def bad_configuration(
    daemon: Daemon, witness: RecordingClient, config: Path
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
        done, event, undisturbed = reload(daemon, witness, "refused")
        config.write_text(whole)
        said = done.stderr.strip().replace(f"{config.parent}/", "")
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


def sighup(daemon: Daemon, witness: RecordingClient, config: Path) -> Check:
    """A good change, by a signal."""
    with config.open("a") as file:
        file.write("on_emotion_every_s = 2.0\n")
    after = len(witness.messages)
    daemon.process.send_signal(signal.SIGHUP)
    event = witness.wait_for(
        lambda m: m["type"] == "status" and m["state"] == "reloaded", after
    )
    named = event is not None and "on_emotion_every_s" in event["detail"]
    undisturbed = witness.sees_more()
    return verdict(
        "SIGHUP with a changed setting",
        "`status model reloaded`, which names it; no step is missing",
        f"event {event and event['detail']!r}, undisturbed {undisturbed}",
        named and undisturbed,
    )


def another_model(daemon: Daemon, witness: RecordingClient, model: Path) -> Check:
    """Another model in the place of the old one, by the command."""
    path = model / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    manifest["thresholds"]["update_s"] += 0.5
    manifest = sealed(manifest)
    path.write_text(json.dumps(manifest), "utf-8")
    after = len(witness.messages)
    done, event, undisturbed = reload(daemon, witness, "reloaded")
    hello = witness.wait_for(lambda m: m["type"] == "hello", after)
    right = hello is not None and hello["model"]["sha256"] == manifest["sha256"]
    return verdict(
        "reload with another model",
        "exit 0, `status model reloaded`, a new `hello`; no step is missing",
        f"exit {done.returncode}, event {bool(event)}, hello {right}, undisturbed "
        f"{undisturbed}",
        done.returncode == 0 and event is not None and right and undisturbed,
    )
