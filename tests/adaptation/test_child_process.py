"""Rounds in real child processes: what is said, and what is left when they go wrong."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ser_stream.adaptation.child_process import RoundError, RoundJob, RoundRunner
from ser_stream.adaptation.reservoir import Reservoir
from ser_stream.pipeline.values import SpeechWindow
from tests.helpers.tiny_child import GOOD, is_alive, tiny_child

JOB = RoundJob(Path("/b"), Path("/w"), Path("/p"), Path("/o"), seed=3)
SLEEP = "import sys, time; sys.stdin.buffer.read(); time.sleep(600)"


@pytest.fixture
def reservoir(rng: np.random.Generator) -> Reservoir:
    reservoir = Reservoir(5)
    for k in range(12):
        frames = rng.normal(size=(8 * 15 + 30, 78)).astype(np.float32)
        scores = rng.dirichlet(np.ones(5)).astype(np.float32)
        reservoir.add(SpeechWindow(frames, scores, 16_000 * k, k))
    return reservoir


def runner(code: str, limit_s: float = 300.0) -> RoundRunner:
    return RoundRunner([sys.executable, "-S", "-c", code], limit_s)


def failure(code: str, reservoir: Reservoir, limit_s: float = 300.0) -> RoundError:
    with pytest.raises(RoundError) as caught:
        runner(code, limit_s).run(JOB, reservoir)
    return caught.value


def children() -> list[int]:
    """Processes that this one has started and not seen off, zombies too."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        found += [int(pid) for pid in path.read_text().split()]
    return found


def test_the_child_gets_job_and_speech_and_gives_evidence(
    reservoir: Reservoir, tmp_path: Path
) -> None:
    copy = tmp_path / "heard"
    read = f"open({str(copy)!r}, 'wb').write(line + sys.stdin.buffer.read()); out = 0"
    code = tiny_child(read)[-1].split("from ser_stream.pipeline.bundle")[0]
    told: list[float] = []
    evidence = RoundRunner(
        [sys.executable, "-c", f"{code}\nsay({{'evidence': {GOOD!r}}})"]
    ).run(JOB, reservoir, told.append)
    assert evidence == GOOD
    assert told == [0.5]
    with copy.open("rb") as file:
        job = json.loads(file.readline())
        heard = Reservoir.read(file, 5)
    assert job == {
        "version": 1,
        "bundle": "/b",
        "weights": "/w",
        "pack": "/p",
        "out": "/o",
        "scope": "cheap",
        "seed": 3,
        "steps": None,
        "memory_mb": 700,
        "parent": os.getpid(),
    }
    assert len(heard) == len(reservoir)
    assert children() == []


def test_what_the_child_calls_its_failure_is_passed_on(reservoir: Reservoir) -> None:
    error = failure(
        """print('{"error": "12 windows are\\\\ntoo little", "kind": "too_little"}')
raise SystemExit(1)""",
        reservoir,
    )
    assert (str(error), error.kind) == ("12 windows are too little", "too_little")


def test_a_child_that_is_killed_is_reported_and_leaves_nothing(
    reservoir: Reservoir,
) -> None:
    error = failure("import os; os.kill(os.getpid(), 9)", reservoir)
    assert (str(error), error.kind) == ("the worker was killed (signal 9)", "killed")
    assert children() == []


def test_a_crash_is_told_with_the_last_line_it_left(reservoir: Reservoir) -> None:
    error = failure("raise RuntimeError('no such operator')", reservoir)
    assert error.kind == "crashed"
    said = "the worker ended with status 1: RuntimeError: no such operator"
    assert str(error) == said


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("print('Loading ...')", "Loading ..."),
        ("print('[1, 2]')", "[1, 2]"),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", "a line without end"),
        ("pass", "no evidence"),
        ("""print('{"evidence": 7}')""", "no evidence"),
    ],
)
def test_a_child_that_talks_nonsense_is_not_believed(
    code: str, what: str, reservoir: Reservoir
) -> None:
    error = failure(code, reservoir)
    assert error.kind == "protocol"
    assert str(error) == f"the worker does not keep to the protocol: {what}"
    assert children() == []


def test_a_stop_kills_it_at_once(reservoir: Reservoir) -> None:
    begun = time.monotonic()
    with pytest.raises(RoundError) as caught:
        runner(SLEEP).run(
            JOB, reservoir, stopped=lambda: time.monotonic() > begun + 0.2
        )
    assert caught.value.kind == "stopped"
    assert time.monotonic() - begun < 300
    assert children() == []


def test_a_child_that_never_stops_talking_is_stopped_too(reservoir: Reservoir) -> None:
    error = failure("import os\nwhile True: os.write(2, b'no' * 9999)", reservoir, 0.3)
    assert error.kind == "time"


def test_too_much_memory_ends_it(reservoir: Reservoir) -> None:
    job = RoundJob(Path("/b"), Path("/w"), Path("/p"), Path("/o"), memory_mb=60)
    with pytest.raises(RoundError, match=r"it took \d+ MB .* allowed: 60 MB") as caught:
        runner(f"hoard = bytearray(b'1') * 100_000_000\n{SLEEP}").run(job, reservoir)
    assert caught.value.kind == "memory"
    assert children() == []


def test_too_much_time_ends_it(reservoir: Reservoir) -> None:
    error = failure(SLEEP, reservoir, limit_s=0.3)
    assert error.kind == "time"
    assert "more than 0.3 s" in str(error)
    assert children() == []


def test_chatter_on_standard_error_jams_nothing(reservoir: Reservoir) -> None:
    code = """
import os
for _ in range(100): os.write(2, b'warning ' * 2000)
print('{"evidence": {"steps": 1}}', flush=True)"""
    assert runner(code).run(JOB, reservoir) == {"steps": 1}


def test_what_it_started_itself_is_killed_too(
    reservoir: Reservoir, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    code = f"""
import subprocess, time
child = subprocess.Popen(["sleep", "600"])
open({str(note)!r}, "w").write(str(child.pid))
time.sleep(600)"""
    with pytest.raises(RoundError):
        runner(code).run(
            JOB, reservoir, stopped=lambda: note.exists() and bool(note.read_text())
        )
    pid = int(note.read_text())
    deadline = time.monotonic() + 120
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_program_that_is_not_there_is_told(reservoir: Reservoir) -> None:
    with pytest.raises(RoundError, match="cannot be started: No such file") as caught:
        RoundRunner(["/nonexistent/python"]).run(JOB, reservoir)
    assert caught.value.kind == "crashed"
