"""Whole rounds by the real child process, as the daemon runs them."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from ser_stream.adaptation.acceptance import verdict
from ser_stream.adaptation.child import run as child
from ser_stream.adaptation.child_process import CHILD, RoundError, RoundJob, RoundRunner
from ser_stream.adaptation.pack import CANARY, Pack, find_pack, load_pack
from ser_stream.adaptation.reservoir import LEAST_WINDOWS, Reservoir
from ser_stream.adaptation.versions.store import Store
from ser_stream.pipeline.bundle import Bundle, file_hash, load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from tests.helpers.adaptation_packs import rewrite_manifest, small_pack
from tests.helpers.small_disk import mounted
from tests.helpers.speech_windows import heard_minutes
from tests.helpers.tiny_child import is_alive

EAGER = """
import runpy
from ser_stream.adaptation.child import process
process.step_back = lambda: None
runpy.run_module("ser_stream.adaptation.child", run_name="__main__")
"""
COMMAND = (sys.executable, "-P", "-c", EAGER)
"""The real child, but it does not give way: on a busy machine it would not get far.
That it does is a test of its own."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("open")


@pytest.fixture(scope="module")
def quick(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A pack of a few windows."""
    return small_pack(bundle, tmp_path_factory.mktemp("pack") / "adaptation")


@pytest.fixture
def job(bundle: Bundle, quick: Pack, tmp_path: Path) -> RoundJob:
    out = tmp_path / "out"
    out.mkdir()
    return RoundJob.of(bundle, quick, out, scope="cheap", steps=1)


def reservoir(n: int = LEAST_WINDOWS) -> Reservoir:
    found = Reservoir(5, n)
    for window in heard_minutes(2):
        found.add(window)
    assert len(found) == n
    return found


def failure(job: RoundJob, heard: Reservoir) -> RoundError:
    with pytest.raises(RoundError) as caught:
        RoundRunner(COMMAND).run(job, heard)
    assert "\n" not in str(caught.value)
    return caught.value


def failure_here(
    job: RoundJob, heard: Reservoir, monkeypatch: pytest.MonkeyPatch
) -> RoundError:
    """What the child would answer, without the seconds in which it loads torch."""
    monkeypatch.setattr(child, "bound_memory", lambda megabytes: None)
    stdin, stdout = io.BytesIO(), io.StringIO()
    heard.write(stdin)
    stdin.seek(0)
    assert child.run(json.loads(job.line), stdin, stdout) == 1
    answer = json.loads(stdout.getvalue().splitlines()[-1])
    assert "\n" not in answer["error"]
    return RoundError(answer["error"], answer["kind"])


def test_a_round_makes_a_version_and_says_what_is_known_of_it(
    bundle: Bundle, tmp_path: Path
) -> None:
    pack = load_pack(find_pack(bundle), bundle)
    shares: list[float] = []

    with Store.open(tmp_path / "state", bundle) as store:
        staged = store.staging()
        job = RoundJob.of(bundle, pack, staged, scope="cheap", steps=3)
        evidence = RoundRunner(COMMAND).run(job, reservoir(), shares.append)
        reason = verdict(evidence)
        assert reason is None or "incomplete" not in reason
        store.accept(staged, "a test", evidence)
        version = store.current
    assert version is not None
    assert version.manifest["adaptation"]["pack"] == pack.sha256
    # Another network, though not by much.
    window = heard_minutes(1)[0]
    ours, theirs = (OnnxRecognizer(one) for one in (version, bundle))
    cold = np.concatenate([np.zeros((4, 78), np.float32), window.frames])
    said = [one.scores(one.encode(cold, None)[0]) for one in (ours, theirs)]
    assert 0 < np.abs(said[0] - said[1]).max() < 0.5

    assert shares == sorted(shares)
    assert len(shares) == 4
    assert evidence["steps"] == 3
    assert evidence["canary_windows"] == 90
    assert evidence["windows"] == evidence["reservoir_windows"] == 40
    assert evidence["parity"] < 1e-3
    assert 0 < evidence["parameter_change"] == evidence["parameter_change_base"] < 0.05
    # The first round begins from the base; that of `open` has its canary in training.
    assert evidence["canary_heard"] is True
    for name in ("canary_uar", "canary_ece", "reservoir_shares", "reservoir_entropy"):
        before = evidence[f"{name}_before"]
        assert evidence[f"{name}_base"] == pytest.approx(before, abs=1e-4)
    assert evidence["agreement_base"] == evidence["agreement"]
    for name in ("canary_uar_after", "canary_ece_after", "agreement"):
        assert 0 <= evidence[name] <= 1
    assert sum(evidence["reservoir_shares_after"]) == pytest.approx(1)
    assert 200 < evidence["peak_rss_mb"] < 700
    assert evidence["cpu_s"] > 1


def test_with_too_little_speech_there_is_no_round(job: RoundJob) -> None:
    error = failure(job, reservoir(39))
    assert error.kind == "too_little"
    assert str(error) == "only 39 windows of speech; needed: 40"
    assert list(job.out.iterdir()) == []


def test_a_pack_of_other_labels_is_refused(
    job: RoundJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(job.pack, tmp_path / "other")
    rewrite_manifest(folder, labels=["angry", "sad"])
    error = failure_here(replace(job, pack=folder), reservoir(), monkeypatch)
    assert error.kind == "pack"
    assert "has the labels angry, sad, but the model open has" in str(error)


def test_a_pack_that_holds_nonsense_is_refused_in_a_line(
    job: RoundJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(job.pack, tmp_path / "other")
    pack = load_pack(folder, load_bundle("open"))
    cpac = pack.manifest["cpac"]
    rewrite_manifest(folder, cpac={**cpac, "n_filters": 32})
    error = failure_here(replace(job, pack=folder), reservoir(), monkeypatch)
    assert error.kind == "pack"
    assert "does not hold the weights of the network" in str(error)
    (folder / CANARY).write_bytes(b"junk")
    files = {**pack.manifest["files"], CANARY: file_hash(folder / CANARY)}
    rewrite_manifest(folder, cpac=cpac, files=files)
    error = failure_here(replace(job, pack=folder), reservoir(), monkeypatch)
    assert error.kind == "pack"
    assert f"{CANARY} cannot be read as windows of an adaptation pack" in str(error)


def test_libraries_that_cannot_be_loaded_are_told_in_a_line(
    job: RoundJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch_cpu.so: no')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    error = failure(job, reservoir())
    assert error.kind == "library"
    assert str(error) == (
        "the libraries of the extra adapt cannot be loaded: libtorch_cpu.so: no"
    )


def test_more_memory_than_allowed_ends_it(job: RoundJob) -> None:
    error = failure(replace(job, memory_mb=80), reservoir())
    assert error.kind == "memory"
    assert list(job.out.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB, less than a candidate takes."""
    with mounted(tmp_path / "disk") as folder:
        yield folder


def test_a_full_disk_is_told_in_a_line(
    job: RoundJob, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = failure_here(replace(job, out=small_disk), reservoir(), monkeypatch)
    assert error.kind == "disk"
    assert "the candidate cannot be written: " in str(error)
    assert "No space left" in str(error)


PARENT = """
import json, sys
from pathlib import Path
from ser_stream.adaptation.reservoir import Reservoir
from ser_stream.adaptation.child_process import RoundJob, RoundRunner
command = json.loads(sys.argv[1])
bundle, weights, pack, out, heard = map(Path, sys.argv[2:])
job = RoundJob(bundle, weights, pack, out, scope="cheap", steps=1_000_000)
reservoir = Reservoir.load(heard, 5)
RoundRunner(command).run(job, reservoir, lambda share: print(share, flush=True))
"""


def test_when_the_daemon_is_killed_its_worker_does_not_outlive_it(
    job: RoundJob, tmp_path: Path
) -> None:
    reservoir().save(tmp_path / "heard.npz")
    paths = (job.bundle, job.weights, job.pack, job.out, tmp_path / "heard.npz")
    command = [sys.executable, "-c", PARENT, json.dumps(COMMAND), *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            parent.stdout.readline()  # it learns
            worker = worker_of(parent.pid)
            assert is_alive(worker)
        finally:
            parent.send_signal(signal.SIGKILL)
    within(60, lambda: not is_alive(worker))
    assert list(job.out.iterdir()) == []


SLOW = """
import pathlib, time
pathlib.Path(__file__).with_name("loading").touch()
time.sleep(600)
"""


def test_nor_does_one_that_has_only_just_begun_and_gives_way_already(
    job: RoundJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    reservoir().save(tmp_path / "heard.npz")
    paths = (job.bundle, job.weights, job.pack, job.out, tmp_path / "heard.npz")
    command = [sys.executable, "-c", PARENT, json.dumps(CHILD), *map(str, paths)]
    with subprocess.Popen(command) as parent:
        try:
            within(250, (tmp_path / "loading").exists)
            worker = worker_of(parent.pid)
            # It gives way to everything, before it loads anything.
            assert os.getpriority(os.PRIO_PROCESS, worker) == 19
            group = Path(f"/proc/{worker}/autogroup")
            assert not group.exists() or group.read_text().endswith("nice 19\n")
        finally:
            parent.send_signal(signal.SIGKILL)
    within(60, lambda: not is_alive(worker))


def within(seconds: float, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def worker_of(pid: int) -> int:
    (worker,) = [
        int(child)
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for child in path.read_text().split()
        if b"adaptation.child" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    return worker
