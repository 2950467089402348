"""A connection of lines, where its two sides end it at once."""

import asyncio
import socket
from typing import Any

import pytest

from ser_stream.config.serve import ServeConfig
from ser_stream.daemon.serve.byte_transport import ByteTransport
from ser_stream.daemon.serve.senders import Senders
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.sinks.sockets.stream_transport import StreamTransport
from ser_stream.sinks.sockets.subscribers import Subscribers
from tests.helpers.cut_connection import cut_when_closed


def senders() -> Subscribers:
    model = Model(load_bundle("open"))
    return Senders(model, ServeConfig(), None, lambda *_: None)


@pytest.mark.parametrize(
    ("kind", "subscribers"), [(StreamTransport, Subscribers), (ByteTransport, senders)]
)
def test_a_client_that_cuts_a_refused_connection_is_no_news(
    kind: type[StreamTransport], subscribers: Any
) -> None:
    complaints: list[dict[str, Any]] = []

    async def refuse() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        everybody = subscribers()
        met: asyncio.Future[StreamTransport] = loop.create_future()

        def meet() -> StreamTransport:
            transport = kind(everybody, "tcp")
            loop.call_soon(met.set_result, transport)
            return transport

        server = await loop.create_server(meet, "127.0.0.1", 0)
        client = socket.create_connection(server.sockets[0].getsockname())
        transport = await met
        # Both in one turn of the loop, which hears of the cut after the end.
        cut_when_closed(client)
        client.close()
        transport.end(linger=True)
        await asyncio.wait_for(everybody.part("shutdown"), 60)
        server.close()
        await server.wait_closed()

    asyncio.run(refuse())
    assert complaints == []
