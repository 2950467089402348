"""Runs the real program, as its users do."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.helpers.fork_server import run_forked

COMMAND = [sys.executable, "-m", "ser_stream"]
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.startswith("SER_STREAM_")},
    "XDG_CONFIG_HOME": "/nonexistent",
    "XDG_DATA_HOME": "/nonexistent",
    "XDG_STATE_HOME": "/nonexistent",
}


def run(
    *arguments: str | Path,
    stdin: bytes | None = None,
    timeout: float = 300,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> "subprocess.CompletedProcess[bytes]":
    """Run `ser-stream` to its end, in a process of its own."""
    if _python_variables(environment) == _PYTHON_VARIABLES:
        texts = [str(argument) for argument in arguments]
        return run_forked("ser_stream", texts, stdin, timeout, environment)
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=timeout,
        env=environment,
        check=False,
    )


def _python_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What Python itself reads, before it loads a module."""
    return {k: v for k, v in environment.items() if k.startswith(("PYTHON", "LC_"))}


_PYTHON_VARIABLES = _python_variables(os.environ)


def start(*arguments: str | Path) -> "subprocess.Popen[bytes]":
    """Start `ser-stream`; its output and errors are pipes."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )


def signalled(
    process: "subprocess.Popen[bytes]", number: int, after: bytes
) -> tuple[bytes, bytes]:
    """Signal it when it has printed that; its whole output and its errors."""
    assert process.stdout is not None
    said = b""
    while after not in said:
        # Past the buffer, which `communicate` does not look into.
        piece = os.read(process.stdout.fileno(), 1 << 16)
        assert piece, f"it ended before it printed {after!r}"
        said += piece
    process.send_signal(number)
    rest, errors = process.communicate(timeout=120)
    return said + rest, errors


def messages(output: bytes) -> list[dict[str, Any]]:
    """The messages of an output; fails on half a line."""
    assert not output or output.endswith(b"\n"), output[-80:]
    return [json.loads(line) for line in output.splitlines()]


def predictions(output: bytes) -> list[dict[str, Any]]:
    """The predictions without what may differ between two runs."""
    changing = ("time", "latency_ms")
    return [
        {key: value for key, value in message.items() if key not in changing}
        for message in messages(output)
        if message["type"] == "prediction"
    ]


def error_line(done: "subprocess.CompletedProcess[bytes]") -> str:
    """The one line on standard error; fails on a traceback or chatter."""
    text = done.stderr.decode()
    assert "Traceback" not in text, text
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]
