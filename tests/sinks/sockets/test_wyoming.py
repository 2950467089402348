"""Voice assistants that listen: wyoming's own client reads what the daemon says."""

import asyncio

import pytest
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping

from ser_stream.errors import SinkError
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.socket_server import emotion, prediction, serving


async def read(client: AsyncTcpClient, count: int) -> list[Event]:
    events = [await asyncio.wait_for(client.read_event(), 60) for _ in range(count)]
    assert None not in events
    return [event for event in events if event is not None]


def test_an_assistant_is_told_what_every_subscriber_is() -> None:
    # A token is for addresses that know one.
    with serving("wyoming://127.0.0.1:0", token="0123456789") as server:

        async def listen() -> None:
            async with client(server) as assistant:
                hello, snapshot = await read(assistant, 2)
                assert (hello.type, snapshot.type) == ("hello", "snapshot")
                await assistant.write_event(Describe().event())
                await assistant.write_event(Ping("here").event())
                info, pong = await read(assistant, 2)
                assert Info.from_event(info).asr == []
                (service,) = info.data["emotion"]
                assert service["models"][0]["labels"] == hello.data["model"]["labels"]
                assert pong.data["text"] == "here"
                server.send(prediction(1))
                server.send(emotion(2, "start", "sad"))
                step, begun = await read(assistant, 2)
                assert step.data["seq"] == 1
                assert (begun.type, begun.data["label"]) == ("emotion", "sad")
            async with client(server) as stranger:
                await read(stranger, 2)
                await stranger.write_event(Event("x", payload=bytes(300_000)))
                error, bye = await read(stranger, 2)
                assert Error.from_event(error).code == "bad_message"
                assert bye.data["reason"] == "protocol"

        asyncio.run(listen())


def client(server: SocketServer) -> AsyncTcpClient:
    return AsyncTcpClient("127.0.0.1", server.addresses[0].port)


def test_other_machines_reach_it_only_if_the_network_is_trusted() -> None:
    address = "wyoming://0.0.0.0:0"
    with (
        pytest.raises(SinkError, match="trust-network"),
        serving(address, token="0" * 8),
    ):
        pass
    with serving(address, trust_network=True) as server:
        assert server.addresses[0].port
