"""`ser_stream.client.aio.send`: leaving, and daemons that are gone."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_stream.client import UnreachableError, aio
from ser_stream.errors import ConfigError
from tests.helpers.cut_connection import cut_when_closed
from tests.helpers.scripted_server import HELLO, scripted_server, until_left
from tests.helpers.socket_server import socket_folder


@pytest.fixture(params=["unix", "tcp"])
def path(request: pytest.FixtureRequest) -> Iterator[Path | None]:
    """Of a Unix socket; None for TCP."""
    with socket_folder() as folder:
        yield folder / "s" if request.param == "unix" else None


def test_leaving_waits_for_no_daemon_and_loses_nothing_that_was_written(
    path: Path | None,
) -> None:
    left = threading.Event()
    piece = bytes(16 * 1024)
    heard, written = b"", 0

    def hold_back(connection: socket.socket) -> None:
        nonlocal heard
        connection.sendall(HELLO)
        assert left.wait(20), "the client did not leave"
        heard = until_left(connection)

    async def write(stream: aio.SentStream) -> None:
        nonlocal written
        while True:
            await asyncio.wait_for(stream.write(piece), 0.5)
            written += len(piece)

    async def leave(uri: str) -> None:
        async with aio.send(uri) as stream:
            with pytest.raises(TimeoutError):
                await write(stream)
        left.set()

    with scripted_server(hold_back, path=path) as uri:
        asyncio.run(leave(uri), debug=True)
    _, audio = heard.split(b"\n", 1)
    # And perhaps a part of the piece that was given up.
    assert 0 <= len(audio) - written <= len(piece)


def test_what_was_written_arrives_though_nobody_waits_for_events(
    path: Path | None,
) -> None:
    heard = bytearray()

    def take_slowly(connection: socket.socket) -> None:
        connection.sendall(HELLO)
        while data := connection.recv(16 * 1024):
            heard.extend(data)
            time.sleep(0.0005)

    async def leave(uri: str) -> None:
        async with aio.send(uri) as stream:
            for _ in range(64):
                await stream.write(bytes(128 * 1024))
            stream.end()

    with scripted_server(take_slowly, path=path) as uri:
        asyncio.run(leave(uri), debug=True)
    _, audio = heard.split(b"\n", 1)
    assert len(audio) == 8 << 20


def test_the_end_told_to_a_daemon_that_is_gone_is_the_clients_own_error() -> None:
    ending, gone = threading.Event(), threading.Event()

    def vanish(connection: socket.socket) -> None:
        connection.sendall(HELLO)
        assert ending.wait(60)
        cut_when_closed(connection)
        connection.close()
        gone.set()

    async def end(uri: str) -> None:
        async with aio.send(uri) as stream:
            assert (await anext(stream))["type"] == "hello"
            # The loop waits, too, and so has not noticed.
            ending.set()
            assert gone.wait(60)
            stream.end()
            with pytest.raises(UnreachableError, match="is lost"):
                await anext(stream)

    with scripted_server(vanish) as uri:
        asyncio.run(end(uri))


def test_after_the_end_nothing_is_written(path: Path | None) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HELLO)
        until_left(connection)

    async def write(uri: str) -> None:
        async with aio.send(uri) as stream:
            stream.end()
            with pytest.raises(ConfigError, match="the stream was ended"):
                await stream.write(bytes(320))

    with scripted_server(answer, path=path) as uri:
        asyncio.run(write(uri))
