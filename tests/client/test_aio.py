"""`ser_stream.client.aio`: the same for asyncio."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from ser_stream.client import AccessError, ProtocolError, UnreachableError, subscription
from ser_stream.client.aio import Stream, connect
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers import socket_server as hub_server
from tests.helpers.scripted_server import HELLO, says, scripted_server, until_left

KINDS = ["unix", "tcp", "ws"]
TOKEN = "a long secret"


def in_a_loop(
    test: Callable[..., Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named), debug=True)

    return run


@pytest.fixture
def folder() -> Iterator[Path]:
    with hub_server.socket_folder() as path:
        yield path


def uri(folder: Path, kind: str) -> str:
    return f"unix://{folder}/s" if kind == "unix" else f"{kind}://127.0.0.1:0"


async def types(stream: Stream, count: int) -> list[str]:
    return [(await anext(stream))["type"] for _ in range(count)]


async def ended(server: SocketServer) -> None:
    """Close a server in the meantime: it waits for its subscribers to read that."""
    await asyncio.to_thread(server.close)


@pytest.mark.parametrize("kind", KINDS)
@in_a_loop
async def test_hello_snapshot_and_the_events_asked_for(folder: Path, kind: str) -> None:
    with hub_server.serving(uri(folder, kind)) as server:
        async with connect(str(server.addresses[0]), only="emotion") as stream:
            assert stream.labels == tuple(hub_server.LABELS)
            server.send(hub_server.prediction(1))
            server.send(hub_server.emotion(2))
            got, _ = await asyncio.gather(types(stream, 4), ended(server))
    assert got == ["hello", "snapshot", "emotion", "bye"]


@in_a_loop
async def test_without_a_context_it_connects_when_it_is_iterated(folder: Path) -> None:
    got = []
    with hub_server.serving(uri(folder, "unix")) as server:
        async for message in connect(uri(folder, "unix"), reconnect=False):
            got.append(message["type"])
            if message["type"] == "snapshot":
                server.close()
    assert got == ["hello", "snapshot", "bye"]


@pytest.mark.parametrize("kind", KINDS)
@in_a_loop
async def test_a_daemon_that_is_started_again_is_found(folder: Path, kind: str) -> None:
    with hub_server.serving(uri(folder, kind)) as server:
        address = str(server.addresses[0])
        stream = connect(address)
        assert await types(stream, 2) == ["hello", "snapshot"]
        got, _ = await asyncio.gather(types(stream, 1), ended(server))
    assert got == ["bye"]
    with hub_server.serving(address):
        assert await types(stream, 2) == ["hello", "snapshot"]
        await stream.close()
    assert [message async for message in stream] == []


@in_a_loop
async def test_waiting_for_a_message_can_be_given_up_without_losing_one(
    folder: Path,
) -> None:
    with hub_server.serving(uri(folder, "unix")) as server:
        async with connect(uri(folder, "unix")) as stream:
            await types(stream, 2)
            for seq in range(1, 4):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(stream), 0.05)
                server.send(hub_server.status(seq))
                message = await anext(stream)
                assert message["type"] == "status"
                assert message["seq"] == seq


@pytest.mark.parametrize("kind", ["tcp", "ws"])
@in_a_loop
async def test_a_wrong_token_is_an_error_at_once(folder: Path, kind: str) -> None:
    with hub_server.serving(uri(folder, kind), token=TOKEN) as server:
        address = str(server.addresses[0])
        async with connect(address, token=TOKEN) as stream:
            assert await types(stream, 2) == ["hello", "snapshot"]
        with pytest.raises(AccessError, match="token"):
            await connect(address, token="wrong").__aenter__()


@in_a_loop
async def test_a_daemon_that_answers_no_more_is_left_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscription, "PING_AFTER", 0.1)
    monkeypatch.setattr(subscription, "PONG_WITHIN", 0.1)
    scripts = (says(HELLO), lambda c: c.sendall(HELLO))
    with scripted_server(*scripts) as address:
        async with connect(address) as stream:
            assert await types(stream, 2) == ["hello", "hello"]


@pytest.mark.parametrize(
    ("server", "error", "text"),
    [
        (scripted_server(says(b"GIF89a\n")), ProtocolError, "GIF89a"),
        (scripted_server(says(HELLO * 9)), None, ""),
        (scripted_server(until_left), UnreachableError, r"say hello within 0.2 s"),
        (scripted_server(lambda c: None), UnreachableError, "closed the connection"),
    ],
)
@in_a_loop
async def test_errors_are_those_of_the_other_client(
    server: AbstractContextManager[str], error: type[Exception] | None, text: str
) -> None:
    with server as address:
        stream = connect(address, reconnect=False, timeout=0.2)
        if error is None:
            await stream.__aenter__()
            await stream.close()
        else:
            with pytest.raises(error, match=text):
                await stream.__aenter__()


@in_a_loop
async def test_where_nothing_listens_it_says_so(folder: Path) -> None:
    with pytest.raises(UnreachableError, match="nothing listens on unix"):
        await connect(uri(folder, "unix"), reconnect=False).__aenter__()
