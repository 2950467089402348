"""The client gives each event once: of the past, live, and over a lost connection."""

import asyncio
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from ser_stream.client import Message, aio, connect
from ser_stream.errors import ConfigError
from tests.helpers.running_daemon import running_daemon
from tests.helpers.socket_server import begin, prediction, serving, socket_folder

KINDS = ["unix", "tcp", "ws"]


def uri(folder: Path, kind: str) -> str:
    return f"unix://{folder}/s" if kind == "unix" else f"{kind}://127.0.0.1:0"


def seqs(messages: Sequence[Message]) -> list[int]:
    return [message["seq"] for message in messages if "seq" in message]


@pytest.mark.parametrize("kind", KINDS)
def test_the_past_comes_first_and_then_what_is_live(kind: str) -> None:
    with socket_folder() as folder, serving(uri(folder, kind)) as server:
        for seq in range(1, 501):
            server.send(prediction(seq))
        with connect(str(server.addresses[0]), history=3600) as stream:
            first = list(islice(stream, 3 + 500))
            assert [m["type"] for m in first[:3]] == ["hello", "snapshot", "history"]
            server.send(prediction(501))
            assert seqs([*first, next(stream)]) == list(range(1, 502))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_with_asyncio(kind: str) -> None:
    async def read(address: str) -> list[Message]:
        async with aio.connect(address, history=3600) as stream:
            return [await anext(stream) for _ in range(3 + 500)]

    with socket_folder() as folder, serving(uri(folder, kind)) as server:
        for seq in range(1, 501):
            server.send(prediction(seq))
        heard = asyncio.run(read(str(server.addresses[0])))
        assert seqs(heard) == list(range(1, 501))


def test_after_a_lost_connection_only_what_was_missed() -> None:
    with serving("tcp://127.0.0.1:0") as server:
        address = str(server.addresses[0])
        for seq in range(1, 11):
            server.send(prediction(seq))
        stream = connect(address, history=3600)
        first = list(islice(stream, 13))
    # The same stream goes on, say behind a proxy that was restarted.
    with stream, serving(address, begun=False) as server:
        begin(server)
        for seq in range(1, 16):
            server.send(prediction(seq))
        rest: list[Message] = []
        while 15 not in seqs(rest):
            rest.append(next(stream))
    assert (seqs(first), seqs(rest)) == (list(range(1, 11)), list(range(11, 16)))


def test_a_history_that_no_daemon_has_is_refused() -> None:
    for seconds in (0, 3601):
        with pytest.raises(ConfigError, match="up to 3600"):
            connect("tcp://127.0.0.1:1", history=seconds)


@pytest.mark.alone
def test_a_real_daemon_tells_its_past_and_goes_on() -> None:
    with running_daemon() as daemon:
        with daemon.subscribe() as early:
            heard = [m for m in islice(early, 40) if "seq" in m]
        with daemon.subscribe(history=60) as late:
            messages = [m for m in islice(late, 80) if "seq" in m]
        assert seqs(messages) == list(range(1, 78))
        known = {m["seq"]: m for m in messages}
        assert heard == [known[m["seq"]] for m in heard]
