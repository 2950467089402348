"""`listen --adapt` as a process of its own, with a small worker in place of torch's."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ser_stream.adaptation.versions.store import adaptation_folder, read_store
from ser_stream.client import RefusedError, control
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.values import FloatArray
from tests.helpers.adapting_program import PROGRAM, write_talk
from tests.helpers.collapsed_version import put_into_force
from tests.helpers.paths import DATA
from tests.helpers.program import ENVIRONMENT, error_line, messages, predictions
from tests.helpers.protocol_schema import validate
from tests.helpers.small_disk import mounted
from tests.helpers.tiny_child import is_alive, tiny_child

BASE = load_bundle("open")
SLEEP = "time.sleep(600)"
CLIP = DATA / "03a01Wa.flac"


@pytest.fixture(scope="module")
def talk(
    clips: dict[str, FloatArray], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A minute with few pauses, in which one round falls due."""
    folder = tmp_path_factory.mktemp("talk")
    return write_talk(clips.values(), folder / "talk.wav")


def start(
    recording: Path, state: Path, child: list[str], *more: str, pace: str = "fast"
) -> "subprocess.Popen[bytes]":
    environment = {
        **ENVIRONMENT,
        "XDG_STATE_HOME": str(state),
        "TINY_CHILD": json.dumps(child),
    }
    arguments = ("--input", str(recording), "--pace", pace, "--adapt")
    every = ("--set", "adapt.every_s=40")
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "listen", *arguments, *every, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def listened(*arguments: Any, **options: Any) -> bytes:
    process = start(*arguments, **options)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors, errors.decode()
    return output


def ended(process: "subprocess.Popen[bytes]") -> "subprocess.CompletedProcess[bytes]":
    output, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess([], process.returncode, output, errors)


def store_of(state: Path) -> Path:
    return adaptation_folder(BASE, state / "ser-stream" / "adaptation")


@contextlib.contextmanager
def in_a_round(recording: Path, state: Path) -> Iterator[tuple[Any, int]]:
    """The daemon while a round of it runs, and the process of its worker."""
    to = ("--to", "stdout:", "--to", f"unix://{state / 'd.sock'}")
    process = start(recording, state, tiny_child(SLEEP), *to)
    assert process.stdout is not None
    # What it says must be read, or it waits for us and not for the round.
    os.set_blocking(process.stdout.fileno(), False)
    said, deadline = b"", time.monotonic() + 120
    try:
        while b'"phase":"started"' not in said:
            assert time.monotonic() < deadline
            select.select([process.stdout], [], [], 1)
            said += process.stdout.read() or b""
        # At half of it, the worker is ready to be killed with its parent.
        while _progress(state / "d.sock") < 0.5:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process, worker_of(process.pid)
    finally:
        process.kill()
        process.communicate(timeout=120)


def _progress(socket: Path) -> float:
    running = control("status", socket)["adaptation"]["round"]
    return float(running["progress"]) if running else 0.0


def worker_of(pid: int) -> int:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in path.read_text().split():
                if b"sleep" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        time.sleep(0.02)
    raise AssertionError("no worker")


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 120
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_recording_runs_on_the_version_that_it_brought_about(
    talk: Path, tmp_path: Path
) -> None:
    output = listened(talk, tmp_path, tiny_child())
    said = messages(output)
    for message in said:
        validate(message)
    hellos = [m["model"] for m in said if m["type"] == "hello"]
    told = [m for m in said if m["type"] == "adaptation"]
    assert [m["phase"] for m in told][:2] == ["started", "accepted"]
    assert [h["adapted"] for h in hellos][:2] == [False, True]
    # The event, then the new `hello`: nothing between them.
    after = said.index(told[1]) + 1
    assert said[after]["type"] == "hello"
    assert said[after]["model"]["sha256"] == told[1]["bundle"]
    assert told[0]["bundle"] == BASE.sha256
    # The recording waited for the round: not a step lies between.
    between = said[said.index(told[0]) : said.index(told[1])]
    assert [m["type"] for m in between] == ["adaptation"]
    assert said[-1] == {"type": "bye", "reason": "shutdown"}
    state = read_store(store_of(tmp_path))
    assert state is not None
    assert state.active == hellos[-1]["sha256"]
    # Read again from the beginning, it goes the same way.
    again = listened(talk, tmp_path / "again", tiny_child())
    assert predictions(again) == predictions(output)


def test_a_start_begins_with_what_was_learnt_before(tmp_path: Path) -> None:
    collapsed = put_into_force(store_of(tmp_path), BASE)
    said = messages(listened(CLIP, tmp_path, tiny_child()))
    assert said[0]["model"]["sha256"] == collapsed
    assert said[0]["model"]["adapted"]


def test_kill_9_of_the_worker_costs_the_daemon_one_round(
    talk: Path, tmp_path: Path
) -> None:
    with in_a_round(talk, tmp_path) as (process, worker):
        os.kill(worker, signal.SIGKILL)
        said = b""
        deadline = time.monotonic() + 120
        while b'"phase":"rejected"' not in said and time.monotonic() < deadline:
            select.select([process.stdout], [], [], 1)
            said += process.stdout.read() or b""
        assert b"the worker was killed (signal 9)" in said
        assert process.poll() is None
    state = read_store(store_of(tmp_path))
    assert state is not None
    assert [e.reason for e in state.history] == ["the worker was killed (signal 9)"]


def test_a_round_holds_up_no_reload_and_sigterm_ends_it_at_once(
    talk: Path, tmp_path: Path
) -> None:
    with in_a_round(talk, tmp_path) as (process, worker):
        assert control("reload", tmp_path / "d.sock")["model"] == "open"
        status = control("status", tmp_path / "d.sock")
        assert status["adaptation"]["state"] == "round"
        process.send_signal(signal.SIGTERM)
        os.set_blocking(process.stdout.fileno(), True)
        # The worker would have slept for longer.
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
        assert gone(worker)
        assert output.splitlines()[-1] == b'{"type":"bye","reason":"shutdown"}'
        assert b"Traceback" not in errors
    assert not list((store_of(tmp_path) / "staging").glob("*"))


def test_a_store_is_not_shared_and_kill_9_of_the_daemon_takes_the_worker_along(
    talk: Path, tmp_path: Path
) -> None:
    with in_a_round(talk, tmp_path) as (process, worker):
        refused = ended(start(CLIP, tmp_path, tiny_child()))
        assert refused.returncode == 2
        assert "adapt.state" in error_line(refused)
        process.kill()
        process.wait(120)
        assert gone(worker)
    said = messages(listened(CLIP, tmp_path, tiny_child()))
    assert said[0]["model"]["sha256"] == BASE.sha256
    assert said[-1]["type"] == "bye"


def test_where_nothing_can_be_written_it_recognises_and_does_not_adapt(
    talk: Path, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        there = ("--set", f"adapt.state={disk}")
        done = ended(start(CLIP, tmp_path, tiny_child(), *there))
        assert done.returncode == 0
        said = messages(done.stdout)
        assert said[0]["model"]["sha256"] == BASE.sha256
        assert predictions(done.stdout)
        warning = error_line(done)
        assert "adaptation is off until a restart, and model open runs as" in warning
        assert "Read-only file system" in warning
        # What asks for it hears why.
        socket = tmp_path / "d.sock"
        to = ("--to", f"unix://{socket}", *there)
        process = start(talk, tmp_path, tiny_child(), *to, pace="realtime")
        try:
            deadline = time.monotonic() + 120
            while not socket.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert control("status", socket)["adaptation"] is None
            with pytest.raises(RefusedError, match="could not be written"):
                control("adapt.now", socket)
        finally:
            process.kill()
            process.communicate(timeout=120)


def test_a_collapse_that_was_accepted_is_rolled_back_after_the_next_start(
    talk: Path, tmp_path: Path
) -> None:
    collapsed = put_into_force(store_of(tmp_path), BASE)
    said = messages(listened(talk, tmp_path, tiny_child("sys.exit(1)")))
    assert said[0]["model"]["sha256"] == collapsed
    told = [m for m in said if m["type"] == "adaptation"]
    back = next(m for m in told if m["phase"] == "rolled_back")
    assert back["bundle"] == BASE.sha256
    assert [m["model"]["sha256"] for m in said if m["type"] == "hello"][-1] == (
        BASE.sha256
    )


def test_a_model_without_a_pack_is_refused_in_one_line(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    process = start(CLIP, tmp_path, tiny_child(), "--set", f"adapt.pack={nothing}")
    done = ended(process)
    assert done.returncode == 4
    assert "python -m export adaptation-pack" in error_line(done)
