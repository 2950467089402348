"""One table has the commands; server, client, command line and docs follow it."""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ser_stream.adaptation import requests
from ser_stream.cli.app import app
from ser_stream.client import NotRunningError, RefusedError, control
from ser_stream.protocol.commands import COMMANDS
from tests.helpers.paths import ROOT
from tests.helpers.protocol_schema import SCHEMA_FILE
from tests.helpers.running_daemon import running_daemon


def test_the_schema_and_the_documentation_have_every_command() -> None:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    do = schema["$defs"]["control"]["properties"]["do"]
    assert do["enum"] == list(COMMANDS)
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"`{name}`" not in text] == []


def test_the_daemon_has_a_handler_for_each_and_for_nothing_else() -> None:
    adapting = {name for name, command in COMMANDS.items() if command.adapts}
    assert set(requests.HANDLERS) == adapting
    with running_daemon("--tell-speakers") as daemon:
        for name in COMMANDS.keys() - adapting - {"pause", "resume"}:
            given: dict[str, Any] = {
                field: 99.0 if kind is float else "?"
                for field, kind in COMMANDS[name].fields.items()
            }
            if not given:
                assert control(name, daemon.socket)
                continue
            # None of it is allowed; its handler says so.
            with pytest.raises(RefusedError, match="allowed: "):
                control(name, daemon.socket, **given)
        with pytest.raises(RefusedError, match="needs label, a text"):
            control("speakers.teach", daemon.socket, last_s=3.0)


@pytest.mark.parametrize("name", [name for name in COMMANDS if COMMANDS[name].help])
def test_the_command_line_has_each_with_its_help(name: str) -> None:
    import_module("ser_stream.cli.all_commands")
    shown = CliRunner().invoke(app, [*name.split("."), "--help"])
    assert shown.exit_code == 0
    said = " ".join(shown.stdout.split())
    assert " ".join(COMMANDS[name].help.split()) in said


def test_a_client_says_how_to_start_a_daemon_that_could_do_it(tmp_path: Path) -> None:
    for name, flags in (("pause", "--to"), ("adapt.now", "--adapt --to")):
        with pytest.raises(NotRunningError, match=re.escape(f"listen {flags} unix:")):
            control(name, tmp_path / "none.sock")
