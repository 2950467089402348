"""What `listen` says in the end to whoever tries it at a terminal."""

import contextlib
import os
import pty
import subprocess
from collections.abc import Mapping

import pytest

from ser_stream.commands.what_else import what_else
from tests.helpers.paths import DATA
from tests.helpers.program import COMMAND, ENVIRONMENT

CLIP = DATA / "15a02Ac.flac"
TERMINAL = {k: v for k, v in ENVIRONMENT.items() if k != "NO_COLOR"} | {"TERM": "xterm"}


def heard_on_a_terminal(environment: Mapping[str, str] = TERMINAL) -> str:
    main, side = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "listen", "--input", str(CLIP), "--pace", "fast"],
        stdout=side,
        stderr=side,
        env=environment,
    ) as process:
        os.close(side)
        shown = b""
        # Reading a terminal whose other side is closed is an error, EIO.
        with contextlib.suppress(OSError):
            while data := os.read(main, 4096):
                shown += data
        assert process.wait(timeout=120) == 0
    os.close(main)
    return shown.decode()


def test_a_terminal_is_told_in_one_line_what_else_there_is() -> None:
    shown = heard_on_a_terminal()
    last = shown.replace("\r\n", "\n").rstrip("\n").split("\n")[-1]
    assert last.startswith("\r\x1b[Knext: ser-stream listen --to ws://127.0.0.1:8765")
    assert "ser-stream watch" in last
    assert "subscribe" in last
    assert "http://127.0.0.1:8765/" in last
    assert shown.count("next:") == 1


@pytest.mark.parametrize("variable", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_some_terminals_get_lines(variable: dict[str, str]) -> None:
    shown = heard_on_a_terminal(TERMINAL | variable)
    first, *lines, last = shown.replace("\r\n", "\n").rstrip("\n").split("\n")
    assert first.startswith("hearing 15a02Ac.flac")
    assert last.startswith("next: ")
    assert lines
    assert all(" begins, " in line or " ends after " in line for line in lines)
    assert "\x1b" not in shown


def test_a_service_is_not() -> None:
    environment = {**TERMINAL, "NOTIFY_SOCKET": "@ser-stream-no-one"}
    assert "next:" not in heard_on_a_terminal(environment)


@pytest.mark.parametrize("uri", ["ws://[::1]:9000", "ws://127.0.0.1:8000"])
def test_the_address_is_that_which_was_served(uri: str) -> None:
    text = what_else(["stdout:", uri])
    assert f"watch {uri}" in text
    assert f"http{uri[2:]}/" in text
