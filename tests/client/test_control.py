"""`ser_stream.client.control`: a request to a running daemon, and its answer."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ser_stream.client import (
    NotRunningError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    control,
    where,
)
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.protocol.messages import refusal
from tests.helpers.program import error_line, run
from tests.helpers.scripted_server import says, scripted_server
from tests.helpers.socket_server import serving, socket_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with socket_folder() as path:
        yield path


async def obey(do: str, _fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """A daemon that is paused already."""
    if do == "pause":
        raise SerStreamError("it is paused already; do resume")
    if do == "reload":
        await asyncio.sleep(600)
    return {"did": do}


@pytest.mark.parametrize("form", ["path", "text", "uri"])
def test_the_answer_is_what_the_daemon_did(folder: Path, form: str) -> None:
    path = folder / "s"
    forms: dict[str, str | Path] = {
        "path": path,
        "text": str(path),
        "uri": f"unix://{path}",
    }
    with serving(f"unix://{path}", control=obey):
        assert control("status", forms[form]) == {"did": "status"}


def test_a_refusal_has_the_daemons_words_and_code(folder: Path) -> None:
    with serving(f"unix://{folder}/s", control=obey):
        with pytest.raises(RefusedError, match=r"^it is paused already") as caught:
            control("pause", folder / "s")
        assert (caught.value.code, caught.value.exit_status) == ("refused", 1)
        with pytest.raises(RefusedError, match="unknown command dance") as caught:
            control("dance", folder / "s")
        assert caught.value.code == "unknown_command"


def test_without_a_daemon_it_says_how_to_start_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr(where, "SYSTEM_SOCKET", folder / "system")
    with pytest.raises(NotRunningError) as caught:
        control("status")
    assert caught.value.exit_status == 3
    own = folder / "ser-stream" / "ser-stream.sock"
    assert str(caught.value) == (
        f"no daemon listens on {own} or {folder}/system; "
        f"start one: ser-stream listen --to unix://{own}"
    )
    with serving(f"unix://{folder}/system", control=obey):
        assert control("status") == {"did": "status"}


def test_a_daemon_that_does_not_answer_is_given_up(folder: Path) -> None:
    with (
        serving(f"unix://{folder}/s", control=obey),
        pytest.raises(UnreachableError, match=r"did not answer reload within 0.2 s"),
    ):
        control("reload", folder / "s", timeout=0.2)


def test_a_connection_that_is_refused_says_why(folder: Path) -> None:
    line = refusal(None, "too_many", "there are 7 subscribers already").line
    with (
        scripted_server(says(line), path=folder / "s"),
        pytest.raises(UnreachableError, match=r"^there are 7 subscribers") as caught,
    ):
        control("status", folder / "s")
    # As over a network: 1 would be what `status` says of a daemon that is degraded.
    assert caught.value.exit_status == 5


@pytest.mark.parametrize(
    "uri",
    ["tcp://127.0.0.1:1", "ws://[::1]:1", "stdout:", "wyoming://127.0.0.1:1", "ftp:"],
)
def test_only_a_unix_socket_takes_requests(uri: str) -> None:
    says = f"{uri}: a daemon is controlled over its unix socket alone"
    with pytest.raises(ConfigError, match=re.escape(says)):
        control("status", uri)


def test_the_command_takes_a_uri_as_it_is(folder: Path) -> None:
    with serving(f"unix://{folder}/s", control=obey):
        done = run("pause", "--socket", f"unix://{folder}/s")
        assert "it is paused already" in error_line(done)
    done = run("pause", "--socket", "tcp://127.0.0.1:1")
    assert "over its unix socket alone" in error_line(done)
    assert done.returncode == 2


def test_whatever_else_listens_there_is_told(folder: Path) -> None:
    with (
        scripted_server(says(b"220 mail\n"), path=folder / "s"),
        pytest.raises(ProtocolError, match="220 mail"),
    ):
        control("status", folder / "s")
    (folder / "file").touch()
    with pytest.raises(NotRunningError, match="no daemon listens"):
        control("status", folder / "file")
