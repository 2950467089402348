"""SIGHUP to `serve`: what is said of a setting is what becomes of it."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ser_stream.client import SentStream, send
from ser_stream.config import KEYS, ListenConfig, resolve
from ser_stream.config.serve import ServeConfig
from ser_stream.daemon.serve import serving
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.daemon.serve.server_state import ServerState
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.protocol.address import parse
from ser_stream.sinks import SinkOptions
from ser_stream.sinks.sockets import server as sockets
from tests.helpers.running_serve import running_serve
from tests.helpers.socket_server import wait_until

TIMEOUT = 60.0


def fields_read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Of the settings, those that `serve` looks at when it starts."""
    # Where the command line is read, as for all commands.
    read = {"log_level", "log_format"}

    def note(config: ListenConfig, name: str) -> Any:
        # Not what checks and compares all settings, whoever takes them.
        asks = sys._getframe(1).f_globals["__name__"]
        if asks not in ("ser_stream.config.listen", "ser_stream.config.layers"):
            read.add(name)
        return object.__getattribute__(config, name)

    settings = resolve(None, {"tell_speakers": True}, environment={})
    with monkeypatch.context() as patched, ExitStack() as stack:
        patched.setattr(ListenConfig, "__getattribute__", note)
        server, sinks = serving._prepare(settings)
        stack.callback(server.close)
        state = ServerState(server, sinks, settings.file)
        serving._open_metrics(settings, server, state, stack)
    return read & {field.name for field in fields(ListenConfig)}


def test_what_serve_looks_at_is_what_a_reload_tells_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = {key.attribute.partition(".")[0] for key in KEYS.values() if key.serve}
    assert told == fields_read(monkeypatch)


def test_a_hangup_names_all_that_needs_a_restart_and_nothing_of_listen(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.toml"
    config.touch()
    with running_serve("--config", config, kinds=("tcp",)) as served:
        config.write_text(
            "tell_speakers = true\nmost_speakers = 3\nspeakers = false\n"
            'metrics = "127.0.0.1:9469"\n'
            "[broker]\nkeepalive_s = 20\ndiscovery = false\n"
        )
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in served.log.read_text())
        assert (
            "reloaded: nothing changed; only a restart brings: tell_speakers, "
            "most_speakers, broker.keepalive_s\n"
        ) in served.log.read_text()


@pytest.fixture
def server() -> Iterator[AudioServer]:
    """One whose streams last a second; the system gives it 200 open files."""
    model = Model(load_bundle("open"))
    server = AudioServer(model, ServeConfig(max_s=1), SinkOptions())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sockets, "raise_file_limit", lambda: 200)
        server.open([parse("tcp://127.0.0.1:0")])
    yield server
    server.close()


def test_the_limits_of_a_stream_are_those_when_it_was_opened(
    server: AudioServer,
) -> None:
    def opened(max_s: float) -> SentStream:
        limits = ServeConfig(max_s=max_s)
        server.allow(limits, None)
        wait_until(lambda: server.senders.limits == limits)
        return send(str(server.addresses[0]))

    def reason(stream: SentStream) -> str:
        *_, last = stream.events(TIMEOUT)
        assert last["type"] == "bye"
        return str(last["reason"])

    with send(str(server.addresses[0])) as before, opened(0) as without:
        assert reason(before) == "too_long"
        with opened(1) as after:
            assert reason(after) == "too_long"
        without.end()
        assert reason(without) == "end"


def test_where_open_files_do_not_suffice_a_reload_says_so_too(
    server: AudioServer, caplog: pytest.LogCaptureFixture
) -> None:
    most = server.senders.most_by_files
    assert most < 60
    with caplog.at_level(logging.WARNING):
        server.allow(ServeConfig(max_streams=most), None)
        assert caplog.messages == []
        server.allow(ServeConfig(max_streams=60), None)
    (said,) = caplog.messages
    assert said.startswith(f"at most {most} streams: the system allows no more open")
    wait_until(lambda: server.senders.limits.max_streams == 60)
    assert server.senders.max_subscribers == most
