"""`ser-stream adapt`: what is stored without a daemon, refusals, and `adapt folder`."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_stream.adaptation.adapter import Adapter
from ser_stream.adaptation.requests import MOST_BYTES, answer
from ser_stream.adaptation.round_runner import RoundRunner
from ser_stream.adaptation.store import Store, adaptation_folder
from ser_stream.bundle import load_bundle
from ser_stream.client import NotRunningError, RefusedError, control, where
from ser_stream.commands.adapt import command, history, now, status
from ser_stream.commands.adapt_folder import adapt
from ser_stream.config import build_config
from ser_stream.errors import ConfigError, SourceError
from ser_stream.events import MAX_LINE, reply
from tests.adaptation_store import write_manifest
from tests.hub_server import serving, socket_folder
from tests.program import DATA, ENVIRONMENT, MINUTE, error_line, run
from tests.running_daemon import running_daemon

CLIP = DATA / "15a02Ac.flac"
NO_CONFIG = Path(os.devnull)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No daemon of anybody's, and a folder for state of our own."""
    monkeypatch.setattr(where, "SYSTEM_SOCKET", tmp_path / "none.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    return tmp_path / "state" / "ser-stream" / "adaptation"


# Without a daemon.


@pytest.mark.parametrize(
    "ask",
    [
        lambda: status(None, NO_CONFIG, False),
        lambda: history(None, NO_CONFIG, False),
        lambda: now(None, False, False),
        lambda: command("adapt.rollback", None, False),
    ],
)
def test_without_a_daemon_and_nothing_stored_there_is_nothing_to_tell(
    alone: Path, ask: Callable[[], object]
) -> None:
    with pytest.raises(NotRunningError, match="no daemon"):
        ask()
    assert not alone.exists()


def test_what_a_daemon_has_left_is_told_without_one(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = load_bundle("open")
    with Store.open(adaptation_folder(base, alone), base) as store:
        store.reject("canary recall falls", {"agreement": 0.5})
        store.freeze(True)
    history(None, NO_CONFIG, False)
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["time", "(UTC)", "verdict", "bundle", "reason"]
    assert row.split()[0] == "1"
    assert row.endswith("rejected    -             canary recall falls")
    history(None, NO_CONFIG, True)
    said = json.loads(capsys.readouterr().out)
    assert said["older"] == 0
    assert said["entries"][0]["evidence"] == {"agreement": 0.5}
    status(None, NO_CONFIG, False)
    text = capsys.readouterr().out
    assert "stopped: no daemon runs" in text
    assert f"open, as it came ({base.sha256[:12]})" in text
    status(None, NO_CONFIG, True)
    said = json.loads(capsys.readouterr().out)
    assert said["frozen"] is True
    assert said["rounds"] == {"accepted": 0, "rejected": 1, "rolled_back": 0}
    assert said["last"]["reason"] == "canary recall falls"
    # Who names a socket wants to know of that daemon.
    with pytest.raises(NotRunningError, match=r"none\.sock"):
        status("/nonexistent/none.sock", NO_CONFIG, False)


def test_where_the_state_is_may_be_configured(tmp_path: Path) -> None:
    base = load_bundle("open")
    with Store.open(adaptation_folder(base, tmp_path / "mine"), base) as store:
        store.reject("the worker was killed (signal 9)")
    file = tmp_path / "config.toml"
    file.write_text(f"[adapt]\nstate = '{tmp_path / 'mine'}'\n")
    asked = {**ENVIRONMENT, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = run("adapt", "history", "--config", file, environment=asked)
    assert "the worker was killed (signal 9)" in done.stdout.decode()


def test_a_daemon_that_does_not_adapt_says_how_it_would() -> None:
    with running_daemon() as daemon:
        with pytest.raises(RefusedError, match=r"start it with .* listen --adapt"):
            control("adapt.freeze", daemon.socket)
        done = run("adapt", "now", "--socket", daemon.socket)
        assert done.returncode == 1
        assert "this daemon does not adapt" in error_line(done)
        whole = control("status", daemon.socket)
        assert whole["adaptation"] is None
        assert whole["model"]["adapted"] is False
        assert (
            "adaptation" not in run("status", "--socket", daemon.socket).stdout.decode()
        )


def test_a_daemon_that_adapts_is_asked_steered_and_keeps_to_its_model(
    tmp_path: Path,
) -> None:
    config, other = tmp_path / "config.toml", tmp_path / "other"
    shutil.copytree(load_bundle("open").folder, other)
    write_manifest(other, licence="another")
    config.write_text("step = 0.2\n")
    with running_daemon("--adapt", "--config", config) as daemon:
        on = ("--socket", daemon.socket)
        whole = control("status", daemon.socket)
        asked = control("adapt.status", daemon.socket)
        assert whole["adaptation"].keys() == asked.keys()
        assert asked["bundle"] == whole["model"]["sha256"]
        text = run("adapt", "status", *on).stdout.decode()
        assert re.search(r"^adaptation +waiting$", text, re.MULTILINE)
        assert "nothing yet" in text
        assert re.search(
            r"^new speech +\d+ of the 180 s that a round", text, re.MULTILINE
        )
        assert "adaptation  waiting; 0 accepted" in run("status", *on).stdout.decode()
        done = run("adapt", "now", *on)
        assert done.returncode == 1
        assert "too little speech" in error_line(done)
        with pytest.raises(RefusedError, match="nothing to roll back"):
            control("adapt.rollback", daemon.socket)
        assert run("adapt", "freeze", *on).returncode == 0
        assert control("adapt.status", daemon.socket)["state"] == "frozen"
        assert b"not frozen" in run("adapt", "freeze", "--off", *on).stdout
        assert control("adapt.status", daemon.socket)["frozen"] is False
        # A setting may change, the model may not.
        config.write_text("step = 0.4\n")
        assert control("reload", daemon.socket)["changed"] == ["step"]
        config.write_text(f"step = 0.2\nmodel = '{other}'\n")
        with pytest.raises(RefusedError, match=r"only a restart brings it"):
            control("reload", daemon.socket)
        config.write_text("step = 0.4\n[adapt]\nevery_s = 60\n")
        answer = control("reload", daemon.socket)
        assert answer["needs_restart"] == ["adapt.every_s"]
        done = run("adapt", "reset", *on)
        assert re.match(r"reset: in force is [0-9a-f]{12}$", done.stdout.decode())
        history = control("adapt.history", daemon.socket)
        assert [entry["phase"] for entry in history["entries"]] == ["reset"]
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()


class Scripted:
    """A daemon whose round takes three looks, and ends as it is told."""

    def __init__(self, phase: str) -> None:
        self._phase = phase
        self._left = 3

    async def __call__(self, do: str) -> dict[str, Any]:
        if do == "adapt.now":
            return {"started": True, "round": 7, "windows": 212}
        self._left -= 1
        evidence = {"canary_uar_before": 0.8, "canary_uar_after": 0.81}
        entry = {"number": 7, "phase": self._phase, "reason": "so it was"}
        if self._left > 0:
            running = {"number": 7, "progress": 0.4, "elapsed_s": 3.0}
            return {"round": running, "last": None}
        return {"round": None, "last": entry | {"evidence": evidence}}


@pytest.mark.parametrize(("phase", "passes"), [("accepted", True), ("rejected", False)])
def test_a_round_may_be_followed_until_its_verdict(
    phase: str, passes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        socket_folder() as folder,
        serving(f"unix://{folder}/s", control=Scripted(phase)),
    ):
        assert now(str(folder / "s"), True, False) is passes
        captured = capsys.readouterr()
        assert captured.err == ""
        first, *rest = captured.out.splitlines()
        assert first == f"{phase}: so it was"
        assert rest[-1].split() == [
            "canary",
            "accuracy",
            "(UAR)",
            *("80.0", "%", "81.0", "%"),
        ]


class LongHistory(Adapter):
    """One that has been through a lot."""

    def __init__(self, entries: int, length: int) -> None:
        self._entries, self._length = entries, length

    def history(self) -> list[dict[str, Any]]:
        return [
            {"number": n, "reason": "ü" * self._length} for n in range(self._entries)
        ]


@pytest.mark.parametrize(
    ("entries", "length"), [(0, 0), (3, 10), (200, 800), (2, 9000)]
)
def test_a_long_history_is_cut_to_what_fits_into_a_line(
    entries: int, length: int
) -> None:
    said = answer(LongHistory(entries, length), "adapt.history")
    assert len(reply("x" * 64, said).line) <= MAX_LINE
    numbers = [entry["number"] for entry in said["entries"]]
    assert numbers == list(range(said["older"], entries))
    if entries * 2 * length < MOST_BYTES / 2:
        assert said["older"] == 0


# The extra.

HIDDEN = "import sys; sys.modules['torch'] = None\n"
"""What an import finds where the package is not."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("adapt", "folder", DATA, "--out", "/nonexistent/out"),
        ("config", "check"),
        ("listen", "--adapt", "--input", CLIP, "--pace", "fast"),
    ],
)
def test_without_torch_the_extra_is_named(
    tmp_path: Path, arguments: tuple[str | Path, ...]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDDEN)
    asked = {
        **ENVIRONMENT,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(tmp_path),
        "SER_STREAM_ADAPT_ENABLED": "yes",
    }
    done = run(*arguments, environment=asked)
    assert done.returncode == 69
    assert "torch" in error_line(done)
    assert 'pip install "ser-stream[adapt]"' in error_line(done)
    assert done.stdout == b""


# `adapt folder`.

CHILD = """
import json, pathlib, shutil, sys
from ser_stream.bundle import file_hash, manifest_hash

job = json.loads(sys.stdin.buffer.readline())
bundle, out = pathlib.Path(job["bundle"]), pathlib.Path(job["out"])
print(json.dumps({"progress": 0.5, "step": 1, "of": 2}), flush=True)
if job["seed"] > ROUNDS:
    print(json.dumps({"error": "the pack is unreadable", "kind": "pack"}), flush=True)
    sys.exit(1)
old = json.loads((bundle / "manifest.json").read_text())
new = old | {"adapted": True, "adaptation": {"parent": old["sha256"]}}
for name in old["files"]:
    shutil.copy(bundle / name, out)
new["sha256"] = manifest_hash(new)
(out / "manifest.json").write_text(json.dumps(new))
print(json.dumps({"evidence": {
    "canary_windows": 90, "canary_uar_base": 0.8,
    "canary_uar_before": 0.8, "canary_uar_after": UAR,
    "canary_interval": [-1.0, 3.0], "canary_ece_before": 0.1, "canary_ece_after": 0.1,
    "reservoir_windows": 50, "agreement": 0.9, "parameter_change": 0.05,
    "reservoir_shares_before": [0.2] * 5, "reservoir_shares_after": [0.2] * 5,
    "reservoir_entropy_before": 0.6, "reservoir_entropy_after": 0.5,
    "parity": 1e-6, "scope": job["scope"],
}}), flush=True)
"""


def child(uar: float = 0.81, rounds: int = 9) -> RoundRunner:
    """A worker that learns nothing and is quick about it."""
    code = f"UAR, ROUNDS = {uar}, {rounds}\n{CHILD}"
    return RoundRunner([sys.executable, "-c", code])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes, one in a folder within, and what is no recording."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "within").mkdir()
    for name in ("a.FLAC", "within/b.flac"):
        (folder / name).symlink_to(MINUTE)
    (folder / "notes.txt").write_text("no audio")
    return folder


def adapted(recordings: Path, out: Path, runner: RoundRunner, rounds: int = 1) -> bool:
    config = build_config(NO_CONFIG, {"adapt.scope": "cheap"}, environment={})
    return adapt(recordings, out, config, rounds, True, runner)


def test_recordings_become_a_bundle(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "models" / "mine"
    assert adapted(recordings, out, child(), rounds=2)
    said = json.loads(capsys.readouterr().out)
    bundle = load_bundle(str(out))
    assert bundle.adapted
    assert (said["bundle"], said["out"]) == (bundle.sha256, str(out))
    assert (said["files"], said["failed"]) == (2, 0)
    assert 60 < said["speech_s"] < 120
    assert said["windows"] >= 40
    first, second = said["rounds"]
    assert first["accepted"]
    assert second["accepted"]
    assert first["reason"].startswith("canary recall 80.0 % to 81.0 %")
    assert first["evidence"]["scope"] == "cheap"
    # Nothing else is left there.
    assert list(out.parent.iterdir()) == [out]


def test_what_is_rejected_is_not_written_and_the_reason_told(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    config = build_config(NO_CONFIG, {}, environment={})
    assert not adapt(recordings, out, config, 3, False, child(0.5))
    said = capsys.readouterr().out
    assert "round 1: rejected: canary recall falls from 80.0 % to 50.0 %" in said
    assert "canary accuracy (UAR)" in said
    assert "round 2" not in said
    assert said.endswith("nothing was written; the model stays as it is\n")
    assert not any(tmp_path.iterdir())


def test_what_passed_and_could_be_read_counts_whatever_else_fails(
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(recordings, mixed, symlinks=True)
    (mixed / "bad.wav").write_text("no audio")
    out = tmp_path / "mine"
    assert not adapted(mixed, out, child(rounds=1), rounds=3)
    said = json.loads(capsys.readouterr().out)
    assert (said["files"], said["failed"]) == (2, 1)
    assert "bad.wav" in caplog.text
    first, second = said["rounds"]
    assert first["accepted"]
    assert (second["accepted"], second["reason"]) == (False, "the pack is unreadable")
    assert load_bundle(str(out)).sha256 == said["bundle"]


def test_bad_input_of_adapt_folder_is_one_line(
    recordings: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_text("mine")
    empty = tmp_path / "empty"
    empty.mkdir()
    little = tmp_path / "little"
    little.mkdir()
    (little / "one.flac").symlink_to(CLIP)
    new = tmp_path / "new"
    for folder, out, kind, said in (
        (tmp_path / "nowhere", new, SourceError, "is no folder"),
        (empty, new, SourceError, "there are no recordings in"),
        (little, new, SourceError, "too little speech to learn from: "),
        (recordings, taken, ConfigError, "is there already"),
        (recordings, taken / "file" / "x", ConfigError, "cannot write"),
    ):
        with pytest.raises(kind, match=said):
            adapted(folder, out, child())
    assert not new.exists()
    assert (taken / "file").read_text() == "mine"
    done = run("adapt", "folder", little, "--out", new)
    assert done.returncode == 2
    assert "40 are needed" in error_line(done)
