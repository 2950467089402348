"""Ctrl-C, full disks and missing homes before anything has begun: no traceback."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.helpers.program import COMMAND, ENVIRONMENT

INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""
"""Of a `sitecustomize`: Ctrl-C comes while a module is being loaded."""


@pytest.mark.parametrize("module", ["ser_stream.cli", "typer", "ser_stream.daemon"])
def test_ctrl_c_while_libraries_are_loaded_is_quiet(
    module: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED.format(module=module))
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*COMMAND, "listen", "--input", "-", "--raw"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**ENVIRONMENT, "PYTHONPATH": path},
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "command",
    [
        ("enroll", "x.wav"),
        ("teach", "--label", "sad", "x.wav"),
        ("plot", "x.wav", "-o", "x.png"),
        ("adapt", "folder", "x", "--out", "y"),
        ("recognize", "x.wav", "--out", "x.json"),
        ("recognize", "x.wav", "--out=x.json"),
    ],
)
@pytest.mark.parametrize(
    "module", ["ser_stream.cli", "ser_stream.cli.all_commands", "ser_stream.model"]
)
def test_what_was_to_leave_something_says_that_it_was_stopped(
    module: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED.format(module=module))
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*COMMAND, *command],
        capture_output=True,
        env={**ENVIRONMENT, "PYTHONPATH": path},
        timeout=120,
        check=False,
    )
    assert done.stderr == b"ser-stream: error: stopped before it was done\n"
    assert done.returncode == 130


@pytest.mark.parametrize("arguments", [("--help",), ("recognize", "--help")])
def test_help_onto_a_full_disk_is_said_so(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            timeout=120,
            check=False,
        )
    assert done.returncode == 5
    assert done.stderr == (
        b"ser-stream: error: standard output: No space left on device\n"
    )


def test_completion_without_a_home_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    # It asks which shell has called it.
    command = shlex.join([*COMMAND, "--install-completion"]) + "; exit $?"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        env={**ENVIRONMENT, "HOME": str(tmp_path / "file")},
        timeout=120,
        check=False,
    )
    assert done.returncode == 5
    assert done.stderr.startswith(b"ser-stream: error: ")
    assert done.stderr.count(b"\n") == 1


def test_a_narrow_dumb_terminal_gets_all_of_the_help() -> None:
    environment = {**ENVIRONMENT, "TERM": "dumb", "COLUMNS": "30"}
    done = subprocess.run(
        [*COMMAND, "recognize", "--help"],
        capture_output=True,
        env=environment,
        timeout=120,
        check=True,
    )
    assert b"\x1b" not in done.stdout
    assert b"--files-from" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("status", "unix:///run/x.sock"), b"the address of a daemon goes to --socket"),
        (("listen", "--pace", "real-time"), b"'real-time' is not one of 'realtime'"),
        (("recognize", "https://example.org/a.mp3"), b"curl -sL https://example.org/a"),
    ],
)
def test_a_usual_mistake_is_answered_with_what_to_do(
    arguments: tuple[str, ...], message: bytes
) -> None:
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        env=ENVIRONMENT,
        timeout=120,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert b"Value error" not in done.stderr
    assert done.stderr.count(b"\n") == 1
