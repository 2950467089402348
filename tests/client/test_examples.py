"""The examples of the documentation, against a real server."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import socket_server as hub_server
from tests.helpers.paths import ROOT
from tests.helpers.program import ENVIRONMENT

EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture
def folder() -> Iterator[Path]:
    with hub_server.socket_folder() as path:
        yield path


def require(*programs: str) -> None:
    """Skip the test, aloud, where a program is missing; in CI it fails instead."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing and os.environ.get("SER_STREAM_REQUIRE_MICROPHONE") == "1":
        pytest.fail(f"this needs {', '.join(missing)}")
    elif missing:
        pytest.skip(f"this needs {', '.join(missing)}")


def lines_of(command: list[str], socket: Path, count: int) -> list[str]:
    """What an example prints of a few events before it is ended."""
    with (
        hub_server.serving(f"unix://{socket}") as server,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            process_group=0,
        ) as process,
    ):
        hub_server.wait_until(lambda: sum(server.subscribers.values()))
        server.send(hub_server.prediction(1))
        server.send(hub_server.emotion(2, "start", "sad"))
        server.send(hub_server.emotion(3, "end", "sad"))
        server.send(hub_server.status(4, "lost"))
        server.send(hub_server.emotion(5, "start", "happy"))
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip("\n") for _ in range(count)]
        # All programs of a pipe. Not SIGINT, which is ignored by what a shell starts in
        # the background, as it may have started these tests.
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=120)
    return lines


def test_the_shell_example_prints_emotions_as_they_begin(folder: Path) -> None:
    require("socat", "jq")
    command = [str(EXAMPLES / "subscribe.sh"), str(folder / "s")]
    assert lines_of(command, folder / "s", 2) == [
        "2026-01-01T00:00:00.000Z sad 0.74",
        "2026-01-01T00:00:00.000Z happy 0.74",
    ]


def test_the_python_example_prints_emotions_and_what_happens(folder: Path) -> None:
    script, uri = str(EXAMPLES / "subscribe.py"), f"unix://{folder}/s"
    assert lines_of([sys.executable, script, uri], folder / "s", 4) == [
        "the model knows angry, fear, happy, neutral, sad",
        "2026-01-01T00:00:00.000Z sad 0.74",
        "2026-01-01T00:00:00.000Z audio lost",
        "2026-01-01T00:00:00.000Z happy 0.74",
    ]


def test_the_line_of_socat_in_the_protocol_page_works(folder: Path) -> None:
    require("socat", "jq")
    text = (EXAMPLES.parent / "protocol.md").read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("socat -u")]
    (folder / "ser-stream").mkdir()
    command = ["env", f"XDG_RUNTIME_DIR={folder}", "bash", "-c", line]
    socket = folder / "ser-stream" / "ser-stream.sock"
    assert lines_of(command, socket, 2) == ["{", '  "type": "hello",']
