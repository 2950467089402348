"""Sinks are opened by the schemes of their addresses, from one table."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ser_stream import sinks
from ser_stream.config import resolve
from ser_stream.errors import ConfigError, SinkError
from ser_stream.protocol.address import Address
from ser_stream.protocol.messages import Message
from ser_stream.sinks import Kind, Server, Sink, SinkOptions, open_sinks
from ser_stream.sinks.command import CommandSink
from tests.helpers.paths import DATA, ROOT
from tests.helpers.program import ENVIRONMENT
from tests.helpers.protocol_schema import validate
from tests.helpers.socket_server import socket_folder


class FileSink(Sink):
    """What somebody might add: lines into a file."""

    closed = False

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("wb")  # noqa: SIM115  until `close`

    def send(self, message: Message, /) -> None:
        self._file.write(message.line)

    def stop_waiting(self) -> None: ...

    def close(self) -> None:
        self._file.close()


def open_sink(addresses: Sequence[Address], _options: SinkOptions) -> FileSink:
    """As the module of a row has it."""
    return FileSink(addresses[0].path)


FILE = Kind("file:///PATH", __name__)
PROGRAM = """
import sys
from ser_stream.sinks import KINDS, Kind
KINDS["file"] = Kind("file:///PATH", "tests.sinks.test_open_sinks")
from ser_stream.cli import main_and_exit
main_and_exit()
"""


def test_a_row_is_all_that_a_new_sink_needs(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    arguments = ("--input", DATA / "15a02Ac.flac", "--pace", "fast")
    done = subprocess.run(
        [
            *(sys.executable, "-c", PROGRAM, "listen", *arguments),
            *("--to", f"file://{path}"),
        ],
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    said = [validate(line)["type"] for line in path.read_bytes().splitlines()]
    assert said[:2] == ["hello", "snapshot"]
    assert said[-1] == "bye"


def test_its_form_is_checked_and_named_where_the_configuration_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sinks.KINDS, "file", FILE)
    with pytest.raises(ConfigError, match=r"allowed are stdout:, .*, file:///PATH$"):
        resolve(None, {"to": ["ftp://a"]}, environment={})
    with pytest.raises(ConfigError, match=r"file:// and an absolute path"):
        resolve(None, {"to": ["file://a"]}, environment={})
    assert resolve(None, {"to": ["file:///a"]}, environment={}).config.serves is False


def test_addresses_of_one_module_are_one_sink_and_it_knows_that_it_serves() -> None:
    with socket_folder() as folder:
        uris = [f"unix://{folder}/s", "stdout:", "tcp://127.0.0.1:0"]
        first, second = open_sinks(uris, SinkOptions(format="json"))
        assert not isinstance(first, Server)
        assert isinstance(second, Server)
        assert [address.kind for address in second.addresses] == ["unix", "tcp"]
        assert second.subscribers == {"tcp": 0, "unix": 0}
        for sink in (first, second, first, second):
            sink.close()
    assert not isinstance(CommandSink(None), Server)


def test_all_are_opened_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sinks.KINDS, "file", FILE)
    with socket_folder() as folder, pytest.raises(OSError, match="nowhere"):
        open_sinks(
            [f"unix://{folder}/s", f"file://{tmp_path}/nowhere/lines"], SinkOptions()
        )
    assert not (folder / "s").exists()


def test_standard_output_that_is_closed_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SinkError, match="standard output is closed"):
        open_sinks(["stdout:"], SinkOptions())


def test_what_is_not_asked_for_is_not_loaded() -> None:
    code = (
        "import json, sys\n"
        "from ser_stream.cli import run\n"
        f"run(['listen', '-i', {str(DATA / '15a02Ac.flac')!r}, '--pace', 'fast'])\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, check=True
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "ser_stream.sinks.stdout" in loaded
    unwanted = ("asyncio", "ser_stream.sinks.sockets.server", "torch")
    assert not {*unwanted, "ser_stream.adaptation.adapter"} & {*loaded}
