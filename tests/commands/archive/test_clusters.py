"""ray and dask: a cluster of two workers here, of which one is killed in the middle."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.paths import DATA
from tests.helpers.program import COMMAND, ENVIRONMENT, messages, run
from tests.helpers.socket_server import wait_until

MINUTE = DATA / "emodb_minute.flac"


def descendants(pid: int) -> list[int]:
    """Processes that a process, or one of those, has started."""
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    except OSError:
        pass
    return found


def workers(pid: int, mark: bytes) -> list[int]:
    """Those of them that do the work; `mark` is in their command line."""
    found = []
    for child in descendants(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if mark in command:
            found.append(child)
    return found


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten of them, of a minute each."""
    folder = tmp_path_factory.mktemp("many")
    paths = [folder / f"{k:02d}.flac" for k in range(10)]
    for path in paths:
        path.symlink_to(MINUTE)
    return paths


@pytest.fixture(scope="module")
def expected(recordings: list[Path]) -> list[dict[str, Any]]:
    (row,) = messages(run("recognize", recordings[0]).stdout)
    return [{**row, "file": str(path)} for path in recordings]


@pytest.mark.parametrize(
    ("engine", "mark"), [("ray", b"ray::"), ("dask", b"spawn_main")]
)
def test_a_worker_that_is_killed_loses_no_row_and_gives_none_twice(
    engine: str, mark: bytes, recordings: list[Path], expected: list[dict[str, Any]]
) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    else:
        pytest.importorskip("distributed")
    with subprocess.Popen(
        [*COMMAND, "recognize", "--engine", engine, "--jobs", "2", *recordings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        wait_until(lambda: bool(workers(process.pid, mark)), 60)
        os.kill(workers(process.pid, mark)[-1], signal.SIGKILL)
        assert process.stderr is not None
        # Not `communicate`, which passes over what was read with the first line.
        rest, errors = process.stdout.read(), process.stderr.read()
    assert errors == b""
    assert process.returncode == 0
    assert messages(first + rest) == expected


@pytest.mark.parametrize(
    ("engine", "module", "address"),
    [("dask", "distributed", "tcp://127.0.0.1:9"), ("ray", "ray", "127.0.0.1:9")],
)
def test_a_cluster_that_is_not_there_is_named(
    engine: str, module: str, address: str
) -> None:
    pytest.importorskip(module)
    done = run("recognize", "--engine", engine, "--address", address, MINUTE)
    assert done.returncode == 1
    assert f"there is no cluster of {engine} at {address}: ".encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_address_without_an_engine_is_refused() -> None:
    done = run("recognize", "--address", "127.0.0.1:1", MINUTE)
    assert done.returncode == 2
    assert b"an address is for --engine ray or dask" in done.stderr
