"""The log on standard error: its formats, and that nothing there stops the daemon."""

import io
import json
import logging
import os
import select
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from ser_stream.log import Every
from tests.helpers.program import COMMAND, ENVIRONMENT, run

PROGRAM = """
import logging, sys
from ser_stream import log
log.setup({level!r}, {format!r})
logger = logging.getLogger("ser_stream.part")
logger.debug("whispered")
logger.info("said %d", 3)
logger.warning("two\\nlines \\u00e9\\udcff", extra={{"detail": [1, object]}})
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("failed")
logger.info("wrong %d", "number")
log.report("the end")
print("done")
"""


def logged(
    level: str = "info",
    format: str = "auto",
    *,
    stderr: int | IO[bytes] = subprocess.PIPE,
    environment: dict[str, str] | None = None,
) -> str:
    """What a program logs that must come to its end; empty if that goes elsewhere."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(level=level, format=format)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=ENVIRONMENT | (environment or {}),
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"done\n")
    return (done.stderr or b"").decode()


def test_text_is_for_terminals() -> None:
    lines = logged().splitlines()
    assert lines[:3] == [
        "ser-stream: info: said 3",
        "ser-stream: warning: two",
        "lines é\\udcff",
    ]
    assert lines[3] == "ser-stream: error: failed"
    assert "ZeroDivisionError: division by zero" in lines
    assert "a log message cannot be made: TypeError" in lines[-2]
    assert lines[-1] == "ser-stream: error: the end"


def test_a_level_leaves_out_what_is_less() -> None:
    assert "debug: whispered" in logged("debug")
    text = logged("error")
    assert "said" not in text
    assert "two" not in text
    assert "ser-stream: error: failed" in text


def test_json_is_one_object_a_line_with_its_extras() -> None:
    objects = [json.loads(line) for line in logged(format="json").splitlines()[:3]]
    said, warned, failed = objects
    moment = datetime.fromisoformat(said.pop("time"))
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
    assert said == {"level": "info", "logger": "ser_stream.part", "message": "said 3"}
    assert (
        warned["message"] == "two\nlines é\\udcff" or "two\nlines" in warned["message"]
    )
    assert warned["detail"] == [1, "<class 'object'>"]
    assert failed["level"] == "error"
    assert failed["exception"].endswith("ZeroDivisionError: division by zero")


def test_journald_gets_its_priorities_where_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with path.open("wb") as file:
        status = os.fstat(file.fileno())
        stream = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        logged(stderr=file, environment=stream)
    lines = path.read_text().splitlines()
    assert lines[:3] == ["<6>said 3", "<4>two", "<4>lines é\\udcff"]
    # Each line is an entry of its own there.
    assert all(line.startswith(("<3>", "<4>", "<6>")) for line in lines)
    assert lines[-1] == "<3>the end"
    # Inherited by a child that sends its errors elsewhere.
    assert logged(environment=stream).startswith("ser-stream: info: said 3\n")
    assert logged(format="text", environment=stream).startswith("ser-stream: info:")


def test_a_full_disk_and_a_reader_that_left_stop_nothing() -> None:
    if Path("/dev/full").exists():
        with Path("/dev/full").open("wb") as full:
            logged(stderr=full)
    read, write = os.pipe()
    os.close(read)
    logged(stderr=write)
    os.close(write)


def test_a_closed_standard_error_stops_nothing_and_no_file_takes_its_place(
    tmp_path: Path,
) -> None:
    other = tmp_path / "other"
    program = PROGRAM.format(level="info", format="text").replace(
        "logger =", f"other = open({str(other)!r}, 'w'); logger ="
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, program],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        timeout=120,
        check=True,
    )
    assert done.stdout == b"done\n"
    assert other.read_text() == ""


STUCK = """
import logging, os, sys, time
from ser_stream import log
log.setup()
logger = logging.getLogger("x")
before = time.monotonic()
for i in range(3000):
    logger.info("%s", "x" * 100)
logger.info("%s", "y" * 100_000)
assert time.monotonic() - before < 60
print("filled", flush=True)
sys.stdin.readline()
logger.info("room again")
"""


def test_a_reader_that_sleeps_holds_nothing_up_and_is_told_what_it_missed() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"filled\n"
        data = b""
        while select.select([process.stderr], [], [], 0)[0]:
            data += os.read(process.stderr.fileno(), 65536)
        process.stdin.write(b"\n")
        process.stdin.close()
        data += process.stderr.read()
    lines = data.decode().splitlines()
    whole = sum(line == f"ser-stream: info: {'x' * 100}" for line in lines)
    assert 0 < whole < 3000
    missed = f"{3001 - whole} messages could not be logged"
    assert lines[-2] == f"ser-stream: warning: {missed}"
    assert lines[-1] == "ser-stream: info: room again"


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_a_program_that_cannot_complain_still_ends_with_its_status(where: str) -> None:
    command = [*COMMAND, "listen", "--step", "9"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {where}', "sh", *command],
        env=ENVIRONMENT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2


def test_of_many_messages_one_is_logged_and_the_next_says_how_many_more() -> None:
    now = 100.0
    stream = io.StringIO()
    logger = logging.getLogger("tests.every")
    logger.addHandler(logging.StreamHandler(stream))
    every = Every(10.0, lambda: now)
    for second in range(25):
        now = 100.0 + second
        every.log(logger, logging.WARNING, "overload: %d", second)
    assert stream.getvalue().splitlines() == [
        "overload: 0",
        "overload: 10 (9 more like it in the meantime)",
        "overload: 20 (9 more like it in the meantime)",
    ]
    logger.handlers.clear()


def test_the_end_of_a_program_is_told_in_the_format_that_was_asked_for() -> None:
    done = run("listen", "--input", "/nonexistent.wav", "--log-format", "json")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["level"] == "error"
