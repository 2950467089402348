"""`ser-stream adapt`: what is stored without a daemon, refusals, and `adapt folder`."""

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ser_stream.adaptation.adapter import Adapter
from ser_stream.adaptation.child_process import RoundRunner
from ser_stream.adaptation.requests import HANDLERS, MOST_BYTES
from ser_stream.adaptation.settings import EXPECT, AdaptConfig
from ser_stream.adaptation.versions.store import Store, adaptation_folder, read_store
from ser_stream.client import NotRunningError, RefusedError, control, where
from ser_stream.commands.adapt import Whose, command, now
from ser_stream.commands.adapt_folder import adapt
from ser_stream.commands.folder_speech import FolderSpeech, find_recordings, find_speech
from ser_stream.config import build_config
from ser_stream.config.for_model import configured_pack
from ser_stream.errors import (
    ConfigError,
    MissingLibraryError,
    ModelError,
    SerStreamError,
    SinkError,
    SourceError,
)
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.protocol.messages import MAX_LINE, reply
from tests.helpers.adaptation_store import stage, write_manifest
from tests.helpers.paths import DATA, MINUTE
from tests.helpers.program import ENVIRONMENT, error_line, run, start
from tests.helpers.running_daemon import running_daemon
from tests.helpers.socket_server import serving, socket_folder

CLIP = DATA / "15a02Ac.flac"
NO_CONFIG = Path(os.devnull)
ALONE = Whose(config=NO_CONFIG)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No other daemon, and a folder for state of our own."""
    monkeypatch.setattr(where, "SYSTEM_SOCKET", tmp_path / "none.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    return tmp_path / "state" / "ser-stream" / "adaptation"


# Without a daemon.


@pytest.mark.parametrize(
    "ask",
    [
        lambda: command("adapt.status", ALONE, False),
        lambda: command("adapt.history", ALONE, False),
        lambda: now(ALONE, False, False),
        lambda: command("adapt.rollback", ALONE, False),
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
    command("adapt.history", ALONE, False)
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["time", "(UTC)", "verdict", "bundle", "reason"]
    assert row.split()[0] == "1"
    assert row.endswith("rejected    -             canary recall falls")
    command("adapt.history", ALONE, True)
    said = json.loads(capsys.readouterr().out)
    assert said["older"] == 0
    assert said["entries"][0]["evidence"] == {"agreement": 0.5}
    command("adapt.status", ALONE, False)
    text = capsys.readouterr().out
    assert "stopped: no daemon adapts it now" in text
    assert f"open, as it came ({base.sha256[:12]})" in text
    command("adapt.status", ALONE, True)
    said = json.loads(capsys.readouterr().out)
    assert said["frozen"] is True
    assert said["rounds"] == {"accepted": 0, "rejected": 1, "rolled_back": 0}
    assert said["last"]["reason"] == "canary recall falls"
    # A named socket means that daemon alone.
    with pytest.raises(NotRunningError, match=r"none\.sock"):
        command("adapt.status", Whose("/nonexistent/none.sock"), False)


def test_what_a_daemon_has_left_is_erased_and_steered_without_one(
    alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = load_bundle("open")
    folder = adaptation_folder(base, alone)
    with Store.open(folder, base) as store:
        store.accept(stage(store), "better", {})
        store.reservoir_path.write_bytes(b"what was heard")
        # While it is held, only the daemon that holds it can do that.
        for do in ("adapt.freeze", "adapt.rollback", "adapt.reset"):
            with pytest.raises(NotRunningError, match="has no control socket here"):
                command(do, ALONE, False)
        with pytest.raises(NotRunningError, match="start it with --to unix://"):
            now(ALONE, False, False)
        command("adapt.status", ALONE, True)
        assert json.loads(capsys.readouterr().out)["state"] == "unreachable"
    command("adapt.freeze", ALONE, False)
    command("adapt.rollback", ALONE, False)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "frozen: the active version stays"
    assert said[1] == f"rolled back: active is {base.sha256[:12]}"
    with pytest.raises(SerStreamError, match="nothing to roll back") as caught:
        command("adapt.rollback", ALONE, False)
    assert caught.value.exit_status == 1
    command("adapt.reset", ALONE, False)
    assert not (folder / "reservoir.npz").exists()
    assert not list((folder / "bundles").iterdir())
    state = read_store(folder)
    assert state is not None
    assert [entry.phase for entry in state.history] == [
        *("accepted", "rolled_back", "reset")
    ]


def test_what_was_heard_before_an_update_is_erased_where_nothing_was_since(
    alone: Path,
) -> None:
    with pytest.raises(NotRunningError, match="nothing was learnt"):
        command("adapt.reset", ALONE, False)
    left = alone / "open-0123456789ab" / "reservoir.npz"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"what was heard")
    command("adapt.reset", ALONE, False)
    assert not left.exists()


def test_where_a_daemon_has_no_socket_or_does_not_adapt_the_store_is_told(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = load_bundle("open")
    with Store.open(adaptation_folder(base, alone), base) as store:
        store.reject("so it was")
    with running_daemon() as daemon:
        monkeypatch.setattr(where, "SYSTEM_SOCKET", daemon.socket)
        command("adapt.history", ALONE, False)
        assert "so it was" in capsys.readouterr().out
        command("adapt.reset", ALONE, False)
        assert capsys.readouterr().out.startswith("reset: ")


class Chatty:
    """A daemon whose history is too long for a line."""

    def __init__(self, folder: Path, base: str) -> None:
        self._status = {"folder": str(folder), "base": {"sha256": base}}

    async def __call__(self, do: str, _fields: Mapping[str, Any]) -> dict[str, Any]:
        if do == "adapt.status":
            return self._status
        entry = {"number": 2, "phase": "rejected", "reason": "the last", "bundle": None}
        return {"entries": [entry | {"time": "2026-01-01T00:00:00Z"}], "older": 1}


@pytest.mark.parametrize("readable", [True, False])
def test_a_long_history_is_read_where_it_is_stored(
    readable: bool, alone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = load_bundle("open")
    home = adaptation_folder(base, alone)
    with Store.open(home, base) as store:
        store.reject("the first")
        store.reject("the last")
    chatty = Chatty(home, base.sha256 if readable else "another")
    with (
        socket_folder() as folder,
        serving(f"unix://{folder}/s", control=chatty),
    ):
        command("adapt.history", Whose(str(folder / "s")), False)
    said = capsys.readouterr().out
    assert "the last" in said
    assert ("the first" in said) is readable
    assert ("1 older ones are shown to" in said) is not readable


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
    write_manifest(other, clip_temperature=0.5)
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
        assert re.match(r"reset: active is [0-9a-f]{12}$", done.stdout.decode())
        history = control("adapt.history", daemon.socket)
        assert [entry["phase"] for entry in history["entries"]] == ["reset"]
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()
        # What to expect of it is told where it begins, and where it is asked for.
        assert EXPECT in daemon.log.read_text()
        assert EXPECT in text


class Scripted:
    """A daemon whose round takes three looks, and ends as it is told; more follow."""

    def __init__(self, phase: str) -> None:
        self._phase = phase
        self._left = 3

    async def __call__(self, do: str, _fields: Mapping[str, Any]) -> dict[str, Any]:
        if do == "adapt.now":
            return {"started": True, "round": 7, "windows": 212}
        if do == "adapt.history":
            evidence = {"canary_uar_before": 0.8, "canary_uar_after": 0.81}
            entry = {"number": 7, "phase": self._phase, "reason": "so it was"}
            other = {"number": 8, "phase": "reset", "reason": "another matter"}
            return {
                "entries": [each | {"evidence": evidence} for each in (entry, other)],
                "older": 6,
            }
        self._left -= 1
        if self._left > 0:
            return {"round": {"number": 7, "progress": 0.4, "elapsed_s": 3.0}}
        return {"round": {"number": 9, "progress": 0.1, "elapsed_s": 0.1}}


@pytest.mark.parametrize(("phase", "passes"), [("accepted", True), ("rejected", False)])
def test_a_round_may_be_followed_until_its_verdict(
    phase: str, passes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        socket_folder() as folder,
        serving(f"unix://{folder}/s", control=Scripted(phase)),
    ):
        assert now(Whose(str(folder / "s")), True, False) is passes
        captured = capsys.readouterr()
        assert captured.err == ""
        first, *rest = captured.out.splitlines()
        assert first == f"{phase}: so it was"
        assert rest[-1].split() == [
            *("canary", "recall"),
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
    said = HANDLERS["adapt.history"](LongHistory(entries, length))
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
from ser_stream.pipeline.bundle import seal

job = json.loads(sys.stdin.buffer.readline())
bundle, out = pathlib.Path(job["bundle"]), pathlib.Path(job["out"])
print(json.dumps({"progress": 0.5, "step": 1, "of": 2}), flush=True)
if job["seed"] > ROUNDS:
    print(json.dumps({"error": "it is unreadable", "kind": KIND}), flush=True)
    sys.exit(1)
old = json.loads((bundle / "manifest.json").read_text())
base = {key: old[key] for key in ("name", "sha256", "files")}
grown = old.get("adaptation", {"base": base}) | {"parent": old["sha256"]}
new = old | {"adapted": True, "adaptation": grown}
for name in old["files"]:
    shutil.copy(bundle / name, out)
(out / "weights.safetensors").write_text("learned from " + old["sha256"])
seal(out, new, {*old["files"], "weights.safetensors"})
print(json.dumps({"evidence": {
    "canary_windows": 90, "canary_heard": False, "canary_uar_base": 0.8,
    "canary_uar_before": 0.8, "canary_uar_after": UAR,
    "canary_interval": [-1.0, 3.0], "canary_ece_base": 0.1,
    "canary_ece_before": 0.1, "canary_ece_after": 0.1,
    "reservoir_windows": 50, "agreement": 0.9, "agreement_base": 0.9,
    "parameter_change": 0.05, "parameter_change_base": 0.05,
    "reservoir_shares_base": [0.2] * 5,
    "reservoir_shares_before": [0.2] * 5, "reservoir_shares_after": [0.2] * 5,
    "reservoir_entropy_base": 0.6,
    "reservoir_entropy_before": 0.6, "reservoir_entropy_after": 0.5,
    "parity": 1e-6, "scope": job["scope"],
}}), flush=True)
"""


def child(uar: float = 0.81, rounds: int = 9, kind: str = "pack") -> RoundRunner:
    """A worker that learns nothing and is quick about it."""
    code = f"UAR, ROUNDS, KIND = {uar}, {rounds}, {kind!r}\n{CHILD}"
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


@cache
def heard_once(recordings: Path) -> FolderSpeech:
    """What is heard in them, once for this module."""
    config = build_config(NO_CONFIG, {}, environment={})
    model = Model(load_bundle("open"))
    return find_speech(find_recordings(recordings), model, config.adapt.capacity)


@pytest.fixture
def heard(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what comes after the recordings, they have been heard."""
    monkeypatch.setattr(
        "ser_stream.commands.adapt_folder.find_speech",
        lambda *_: heard_once(recordings),
    )


def adapted(recordings: Path, out: Path, runner: RoundRunner, rounds: int = 1) -> bool:
    config = build_config(NO_CONFIG, {"adapt.scope": "cheap"}, environment={})
    return adapt(recordings, out, config, rounds, True, runner)


def test_recordings_become_a_bundle(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, base = tmp_path / "models" / "mine", load_bundle("open")
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
    for do in ("show", "verify"):
        told = run("model", do, out).stdout.decode()
        assert f"adapted from open ({base.sha256[:12]}), canary recall 80.0 %" in told
    # It is adapted further with the pack of the model that it grew from.
    config = build_config(NO_CONFIG, {"model": str(out)}, environment={})
    assert configured_pack(config, bundle).folder == base.folder / "adaptation"
    more = tmp_path / "more"
    assert adapt(recordings, more, config, 1, True, child())
    grown = load_bundle(str(more)).manifest["adaptation"]
    assert (grown["base"]["sha256"], grown["parent"]) == (base.sha256, bundle.sha256)


@pytest.mark.usefixtures("heard")
def test_what_is_rejected_is_not_written_and_the_reason_told(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    config = build_config(NO_CONFIG, {}, environment={})
    assert not adapt(recordings, out, config, 3, False, child(0.5))
    said = capsys.readouterr().out
    assert "round 1: rejected: canary recall falls from 80.0 % to 50.0 %" in said
    assert "canary recall   " in said
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
    with pytest.raises(ModelError, match="it is unreadable"):
        adapted(mixed, out, child(rounds=1), rounds=3)
    said = json.loads(capsys.readouterr().out)
    assert (said["files"], said["failed"]) == (2, 1)
    assert "bad.wav" in caplog.text
    (first,) = said["rounds"]
    assert first["accepted"]
    assert load_bundle(str(out)).sha256 == said["bundle"]


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("library", MissingLibraryError),
        ("pack", ModelError),
        ("disk", SinkError),
        ("heard", SourceError),
        ("memory", SerStreamError),
    ],
)
def test_a_round_that_failed_is_an_error_and_no_verdict(
    kind: str,
    error: type[SerStreamError],
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SerStreamError, match="it is unreadable") as caught:
        adapted(recordings, tmp_path / "mine", child(rounds=0, kind=kind))
    assert type(caught.value) is error
    assert capsys.readouterr().out == ""
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_so_and_leaves_nothing(
    number: int, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    process = start("adapt", "folder", recordings, "--out", out)
    with process:
        deadline = time.monotonic() + 120
        while not any(tmp_path.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        said, log = process.communicate(timeout=120)
    assert (process.returncode, said) == (130, b"")
    assert log.decode().endswith("stopped; nothing was written\n")
    assert len(log.splitlines()) == 1
    assert not any(tmp_path.iterdir())


def test_the_scope_of_the_help_is_the_one_that_is_used() -> None:
    said = " ".join(run("adapt", "folder", "--help").stdout.decode().split())
    assert f"else {AdaptConfig().scope}]" in said


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
        (recordings, taken / "file" / "x", SinkError, "cannot write"),
    ):
        with pytest.raises(kind, match=said):
            adapted(folder, out, child())
    assert not new.exists()
    assert (taken / "file").read_text() == "mine"
    done = run("adapt", "folder", little, "--out", new)
    assert done.returncode == 2
    assert "40 are needed" in error_line(done)
