"""The engine of resumable results, on experiments that write down when they run."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ser_stream.errors import ConfigError, SourceError
from tests.helpers.paths import ROOT
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result, ResultStore, locked
from training.engine.run_experiments import (
    WorkerError,
    chosen,
    each_result,
    missing,
    run_experiments,
)


@dataclass(frozen=True)
class Room:
    """Where the experiments below work."""

    folder: Path
    level: int = 1
    pause_s: float = 0.0

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.folder / "results", self.folder / "locks", "toys")

    def runs(self) -> list[str]:
        """The names of the experiments that were begun, in order."""
        return (self.folder / "begun").read_text().split()


@dataclass(frozen=True)
class Toy(Experiment[Room]):
    """Notes that it runs, and does what its kind says."""

    number: int
    kind: str = "good"

    @property
    def name(self) -> str:
        return f"toys/{self.number}"

    @property
    def beside(self) -> tuple[str, ...]:
        return (".txt",) if self.kind == "two files" else ()

    def config(self, space: Room) -> Result:
        return {"toy": {"number": self.number, "pair": (1, 2)}, "level": space.level}

    def compute(self, space: Room, progress: Progress) -> Result:
        with (space.folder / "begun").open("a") as file:
            file.write(f"{self.number}\n")
        progress.share(0.5)
        time.sleep(space.pause_s)
        if self.kind == "absent":
            raise SourceError("no such clip")
        if self.kind == "bug":
            raise ZeroDivisionError
        if self.kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "killed while it tells":
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()
            while True:
                progress.share(0.5)
        for suffix in self.beside:
            path = space.store.path(self.name).with_suffix(suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("beside")
        return {"square": self.number**2}


def compute(toys: list[Toy], room: Room, jobs: int = 1) -> tuple[list[str], list[str]]:
    said: list[str] = []
    failed = run_experiments(toys, room, jobs=jobs, progress=False, say=said.append)
    return failed, said


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_there_is_not_computed_again_and_a_failure_stops_no_other(
    tmp_path: Path, jobs: int
) -> None:
    room = Room(tmp_path)
    toys = [Toy(1), Toy(2, "absent"), Toy(3, "bug"), Toy(4, "two files")]
    failed, said = compute(toys, room, jobs)
    assert said[0] == "4 experiments, 0 of them done already"
    assert sorted(said[1:]) == ["done: toys/1", "done: toys/4"]
    told = sorted(failed)
    assert told[0] == "toys/2: no such clip"
    assert "ZeroDivisionError" in told[1]
    stored = room.store.read(room.store.path("toys/4"))
    assert stored["config"] == {"toy": {"number": 4, "pair": [1, 2]}, "level": 1}
    assert stored["square"] == 16
    assert len(stored["revision"]) >= 12
    # Mended, they alone are computed.
    _, said = compute([replace(toy, kind="good") for toy in toys[:3]], room, jobs)
    assert said[0] == "3 experiments, 1 of them done already"
    assert sorted(room.runs()) == ["1", "2", "2", "3", "3", "4"]


def test_a_result_without_the_file_beside_it_is_not_done(tmp_path: Path) -> None:
    room, toy = Room(tmp_path), Toy(1, "two files")
    assert toy.run(room)
    assert toy.is_done(room)
    room.store.path(toy.name).with_suffix(".txt").unlink()
    assert missing([toy], room) == [toy]


def test_a_result_of_another_configuration_is_refused_before_anything_is_computed(
    tmp_path: Path,
) -> None:
    compute([Toy(2)], Room(tmp_path))
    message = r"toys/2.json was made with another configuration \(level: 1 there, 5 now"
    with pytest.raises(ConfigError, match=message):
        compute([Toy(1), Toy(2)], Room(tmp_path, level=5))
    with pytest.raises(ConfigError, match=message):
        list(each_result([Toy(1), Toy(2)], Room(tmp_path, level=5)))
    assert Room(tmp_path).runs() == ["2"]


@pytest.mark.parametrize("text", ["", "{}", '{"config": 1}', "[1]"])
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    path = Room(tmp_path).store.path("toys/1")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(SourceError, match="is no result of `toys`; delete"):
        Toy(1).is_done(Room(tmp_path))


def test_a_result_of_another_schema_is_refused(tmp_path: Path) -> None:
    old = ResultStore(tmp_path, tmp_path, "toys", schema=1)
    old.write("a", {}, {})
    new = replace(old, schema=2)
    with pytest.raises(SourceError, match="has schema 1; this version reads 2"):
        new.read(new.path("a"))


def test_what_another_process_is_at_comes_last_or_is_passed_over(
    tmp_path: Path,
) -> None:
    room, toys = Room(tmp_path), [Toy(1), Toy(2)]
    with locked(toys[0].lock(room), wait=False):
        found = each_result(toys, room, wait=False)
        assert [(one.number, result is None) for one, result in found] == [
            (2, False),
            (1, True),
        ]
    later = [(one.number, result) for one, result in each_result(toys, room)]
    assert [(n, result and result["square"]) for n, result in later] == [(1, 1), (2, 4)]


@pytest.mark.parametrize("kind", ["killed", "killed while it tells"])
def test_a_process_that_is_killed_is_told_and_the_rest_goes_on(
    tmp_path: Path, kind: str
) -> None:
    room = Room(tmp_path)
    toys = [Toy(n) for n in range(6)]
    with pytest.raises(WorkerError, match="status -9, perhaps for lack of memory"):
        compute([Toy(9, kind), *toys], room, jobs=2)
    # The other process did the rest.
    assert not missing(toys, room)


SCRIPT = """
import sys
from pathlib import Path
from tests.training.engine.test_run_experiments import Room, Toy, compute
if __name__ == "__main__":
    room = Room(Path(sys.argv[1]), pause_s=float(sys.argv[2]))
    failed, said = compute([Toy(n) for n in range(8)], room, jobs=int(sys.argv[3]))
    sys.exit(len(failed))
"""


def command(folder: Path, pause_s: float, jobs: int) -> "subprocess.Popen[bytes]":
    script = folder / "script.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, script, folder, str(pause_s), str(jobs)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


def test_two_commands_on_the_same_results_compute_nothing_twice(tmp_path: Path) -> None:
    both = [command(tmp_path, 0.05, jobs) for jobs in (1, 2)]
    assert [one.wait(120) for one in both] == [0, 0]
    assert sorted(Room(tmp_path).runs()) == [str(n) for n in range(8)]
    assert not missing([Toy(n) for n in range(8)], Room(tmp_path))


def test_a_command_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    room, first = Room(tmp_path), command(tmp_path, 0.3, 2)
    done = tmp_path / "results/toys"
    while len(list(done.glob("*.json"))) < 2:
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    first.wait()
    # Its processes end with it, and the experiments they were at are free again.
    kept = {path: path.read_bytes() for path in done.glob("*.json")}
    assert command(tmp_path, 0.0, 2).wait(120) == 0
    assert not missing([Toy(n) for n in range(8)], room)
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert not list(tmp_path.rglob("*.part"))


def test_one_part_is_chosen_by_its_number() -> None:
    assert chosen("abc", None) == "abc"
    assert chosen("abc", 3) == ["c"]
    with pytest.raises(ConfigError, match="only is 4; allowed: 1 to 3"):
        chosen("abc", 4)
