"""The sockets that clients send audio to."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ser_stream.config.serve import ServeConfig
from ser_stream.daemon.serve.byte_transport import ByteTransport
from ser_stream.daemon.serve.senders import Senders
from ser_stream.daemon.serve.wyoming_transport import WyomingTransport
from ser_stream.model import Model
from ser_stream.protocol.address import NATS, WYOMING, Address
from ser_stream.sinks import Sink, SinkOptions
from ser_stream.sinks.sockets.server import SocketServer

if TYPE_CHECKING:
    from ser_stream.daemon.serve.nats_input import NatsInput
    from ser_stream.sinks.sockets.websocket import WebSocketServer

BEAT_S = 1.0
"""Between two signs of life of the loop."""


class AudioServer(SocketServer):
    """Takes audio on any number of addresses; what comes of it goes back.

    As a `SocketServer` it listens, counts, and ends in order; nothing is sent to all.
    """

    def __init__(
        self,
        model: Model,
        limits: ServeConfig,
        options: SinkOptions,
        sinks: Sequence[Sink] = (),
    ) -> None:
        """Prepare; `open` begins.

        Args:
            model: of all streams.
            limits: how many, and for how long.
            options: token and origins.
            sinks: get the events of all streams, too.
        """
        self.senders = Senders(model, limits, options.token(), self._call, sinks)
        self._options = options
        self._inputs: list[NatsInput] = []
        self._beating: asyncio.Task[None] | None = None
        self._opened = False
        self.seen = time.monotonic()
        """Monotonic seconds when the loop last gave a sign of life."""
        super().__init__(options, self.senders)

    @property
    def addresses(self) -> list[Address]:
        return [*super().addresses, *(input.address for input in self._inputs)]

    @property
    def inputs(self) -> dict[str, bool]:
        """Whether brokers are connected that clients come by, by address."""
        return {str(input.address): input.connected for input in self._inputs}

    def not_ready(self) -> str:
        """Why no audio is taken; empty where it is."""
        if self.closed:
            return "it is ending"
        if not self._opened:
            return "it is starting"
        away = [address for address, there in self.inputs.items() if not there]
        return f"not connected to {', '.join(away)}" if away else ""

    def allow(self, limits: ServeConfig, token: str | None) -> None:
        """Take other limits and another token, for all that comes from now on."""
        self._tell_if_too_many(limits.max_streams)
        self._loop.call(self.senders.allow, limits, token)

    def _call(self, *call: object) -> None:
        self._loop.call(*call)  # type: ignore[arg-type]

    def open(
        self,
        addresses: Sequence[Address],
        inherited: Sequence[socket.socket] = (),
    ) -> None:
        brokers = [address for address in addresses if address.kind in NATS]
        self._inputs = self._by_brokers(brokers)
        super().open([a for a in addresses if a not in brokers], inherited)
        self.senders.compute.start()
        self._opened = True

    def _by_brokers(self, addresses: Sequence[Address]) -> "list[NatsInput]":
        if not addresses:
            return []
        # Of an extra.
        from ser_stream.daemon.serve.nats_input import NatsInput
        from ser_stream.sinks.brokers.access import BrokerAccess

        access = BrokerAccess.of(addresses, self._options)
        return [NatsInput(address, access, self.senders) for address in addresses]

    def close(self) -> None:
        """End all streams in order, and give clients 2 s to take what they are told."""
        super().close()
        self.senders.compute.stop()

    async def _serve(self) -> None:
        self._beating = asyncio.create_task(self._beat())
        await super()._serve()
        for input in self._inputs:
            input.start()

    async def _beat(self) -> None:
        while True:
            self.seen = time.monotonic()
            await asyncio.sleep(BEAT_S)

    async def _part(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        for input in self._inputs:
            await input.take_no_more()
        await super()._part()
        for input in self._inputs:
            await input.close()

    def _websocket_server(self, address: Address) -> "WebSocketServer":
        # Of an extra, whose absence was told by now.
        from ser_stream.daemon.serve.audio_websocket import AudioWebSocketServer

        return AudioWebSocketServer(address, self.senders, self._origins)

    def _transport(self, address: Address) -> Callable[[], asyncio.BaseProtocol]:
        kind = WyomingTransport if address.kind in WYOMING else ByteTransport
        return partial(kind, self.senders, address.kind)
