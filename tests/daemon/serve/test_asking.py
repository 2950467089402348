"""Who may still ask a full server how it is."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from ser_stream.client import UnreachableError, control, send, serve_status
from ser_stream.config.serve import ServeConfig
from ser_stream.daemon.serve import sender, senders
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.daemon.serve.server_state import ServerState
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.protocol.address import parse
from ser_stream.sinks import SinkOptions
from ser_stream.sinks.sockets import socket_options
from tests.helpers.program import error_line, run
from tests.helpers.socket_server import connect, socket_folder, wait_until


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AudioServer]:
    """Open to one stream, and to two and two who ask."""
    monkeypatch.setattr(senders, "MOST_ASKERS", 2)
    monkeypatch.setattr(sender, "OPEN_WAIT_S", 600.0)
    model = Model(load_bundle("open"))
    server = AudioServer(model, ServeConfig(max_streams=1), SinkOptions())
    server.senders.status = ServerState(server, [], None).status
    with socket_folder() as folder:
        server.open([parse(f"unix://{folder}/s"), parse("tcp://127.0.0.1:0")])
        yield server
        server.close()


def test_whoever_idles_on_a_full_server_does_not_shut_its_operator_out(
    server: AudioServer,
) -> None:
    unix, tcp = server.addresses
    with ExitStack() as stack:
        stack.enter_context(send(str(tcp)))
        for _ in range(2):
            stack.enter_context(connect(tcp))
        wait_until(lambda: server.subscribers["tcp"] == 3)
        with pytest.raises(UnreachableError, match="too many ask already"):
            serve_status(str(tcp))
        assert serve_status(str(unix))["clients"] == {"tcp": 3, "unix": 1}
        assert control("status", str(unix))["streams"]["open"]["tcp"] == 1

        # Of its own user, there may be too many as well.
        for _ in range(2):
            stack.enter_context(connect(unix))
        wait_until(lambda: server.subscribers["unix"] == 2)
        for address in (unix, tcp):
            done = run("status", "--socket", str(address))
            assert done.returncode == 5
            assert "too many ask already: the 1 streams are taken" in error_line(done)
    wait_until(lambda: sum(server.subscribers.values()) == 0)
    assert serve_status(str(tcp))["degraded"] is False


@pytest.mark.parametrize(
    ("family", "user", "operates"),
    [
        (socket.AF_UNIX, 1000, True),
        (socket.AF_UNIX, 0, True),
        (socket.AF_UNIX, 1001, False),
        (socket.AF_INET, 1000, False),
    ],
)
def test_an_operator_comes_by_unix_socket_as_our_own_user_or_as_root(
    monkeypatch: pytest.MonkeyPatch, family: int, user: int, operates: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    credentials = struct.pack("3i", 77, user, 100)
    transport: Any = SimpleNamespace(
        get_extra_info=lambda _name: SimpleNamespace(
            family=family, getsockopt=lambda *_: credentials
        )
    )
    assert socket_options.is_operator(transport) is operates
