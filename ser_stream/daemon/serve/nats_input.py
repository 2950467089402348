"""Clients by a NATS server, which shares their streams out among workers.

    PREFIX.open            a client asks for a stream; one worker of the group answers
    PREFIX.audio.W.N       the audio of stream N at worker W; an empty message ends it
    the client's inbox     all that it is told, and signs of life

A worker that is full leaves the group until there is room. Everything here runs in the
thread of the server's loop.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from ser_stream.daemon.serve.sender import Sender
from ser_stream.errors import MissingLibraryError
from ser_stream.log import Every
from ser_stream.protocol.address import Address
from ser_stream.protocol.messages import Message
from ser_stream.sinks.brokers.access import BrokerAccess
from ser_stream.sinks.brokers.link import (
    REFUSAL_EVERY_S,
    REFUSED_PAUSE_S,
    TIMEOUT_S,
    LostError,
    UnwantedError,
)
from ser_stream.sinks.brokers.nats_server import (
    FORBIDDEN,
    connect_options,
    explained,
    taken,
    url,
)

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from ser_stream.daemon.serve.senders import Senders

try:
    import nats.errors as nats_errors
    from nats.aio.client import Client as NatsClient
except ImportError as error:
    raise MissingLibraryError(
        f"nats:// addresses need nats-py ({error}); pip install 'ser-stream[nats]'"
    ) from error

_LOGGER = logging.getLogger(__name__)
GROUP = "workers"
"""The queue group: of its members, NATS asks one."""
ALIVE_S = 0.25
"""Seconds of silence after which a client is sent a sign of life."""
PAUSE_S = 0.5
"""Between attempts to reach the server."""
COMPLAIN_S = 60.0
"""Between two lines of the log about a server that is not reached."""
MOST_UNSENT = 10_000
"""Lines for all clients that may wait for the server; then they are told no more."""


class NatsTransport:
    """One client, as its `Sender` sees it; see `Transport`."""

    kind = "nats"

    def __init__(self, input: "NatsInput", inbox: str, number: int) -> None:
        self._input = input
        self._inbox = inbox
        self.number = number
        self.sender: Sender | None = None
        self.written = 0.0
        """When it was told something, on the loop's clock."""

    @property
    def blocked(self) -> bool:
        return self._input.blocked

    def write(self, line: bytes, /) -> None:
        self.written = asyncio.get_running_loop().time()
        self._input.publish(self._inbox, line[:-1])

    def unsent(self) -> int:
        return self._input.unsent

    def more(self) -> None:
        """Nothing waits: what comes too fast is not taken."""

    def end(self, *, linger: bool) -> None:
        self._input.leave(self)

    def abort(self) -> None:
        self._input.leave(self)


class NatsInput:
    """One worker at one server."""

    def __init__(
        self, address: Address, access: BrokerAccess, senders: "Senders"
    ) -> None:
        self._url = url(address)
        self.address = address
        self._prefix = address.path.replace("/", ".")
        self._access = access
        self._options = connect_options(address, access)
        self._complaints = Every(COMPLAIN_S)
        self._refusals = Every(REFUSAL_EVERY_S)
        self._senders = senders
        self._worker = secrets.token_hex(6)
        self._numbers = count(1)
        self._clients: dict[int, NatsTransport] = {}
        self._lines: deque[tuple[str, bytes]] = deque()
        self._waiting = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._group: Subscription | None = None

    @property
    def connected(self) -> bool:
        """Whether the server is there; from any thread."""
        return self._client is not None

    # What its clients' transports ask.

    @property
    def unsent(self) -> int:
        return len(self._lines)

    @property
    def blocked(self) -> bool:
        return len(self._lines) >= MOST_UNSENT

    def publish(self, subject: str, data: bytes) -> None:
        self._lines.append((subject, data))
        self._waiting.set()

    def leave(self, transport: NatsTransport) -> None:
        """A client is gone, or is told nothing any more."""
        if self._clients.pop(transport.number, None) and transport.sender:
            asyncio.get_running_loop().call_soon(transport.sender.on_disconnect)

    # Coming and going.

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def take_no_more(self) -> None:
        """Let others open streams; those that are here go on."""
        self._closing = True
        if self._client is not None:
            await self._follow_room(self._client)

    async def close(self) -> None:
        """End; what was said is delivered."""
        if self._task is None:
            return
        if self._client is not None:
            with contextlib.suppress(nats_errors.Error, TimeoutError):
                while self._lines:
                    await self._client.publish(*self._lines.popleft())
                await taken(self._client, 1)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._serve()
            except LostError as error:
                self._complaints.log(
                    _LOGGER,
                    logging.WARNING,
                    "%s %s; it is tried again",
                    self.address,
                    error,
                )
                # Too often, and it may block us.
                refused = isinstance(error, UnwantedError)
                pause = REFUSED_PAUSE_S if refused else PAUSE_S
            self._part()
            await asyncio.sleep(pause)

    def _part(self) -> None:
        """The server is gone: clients do not hear of us, and look elsewhere."""
        self._client = self._group = None
        self._lines.clear()
        for transport in list(self._clients.values()):
            self.leave(transport)

    async def _serve(self) -> None:
        gone = asyncio.Event()
        errors: list[Exception] = []
        connected = False

        async def over() -> None:
            gone.set()

        async def failed(error: Exception) -> None:
            if not connected:
                errors.append(error)
                # Else the library itself would try again, and slowly.
                raise error
            text = str(error).lower()
            if f"{FORBIDDEN} for publish" in text:
                # Perhaps a client's fault, which named a place that is not for us.
                self._refusals.log(
                    _LOGGER, logging.WARNING, "%s refuses %s", self.address, text
                )
            elif FORBIDDEN in text:
                errors[:] = [error]
                gone.set()
            elif not isinstance(error, (nats_errors.Error, OSError)):
                # Of our own, while a message was handled.
                self._complaints.log(
                    _LOGGER, logging.ERROR, "%s: %r", self.address, error
                )

        client = NatsClient()
        try:
            await client.connect(
                self._url,
                name=f"ser-stream worker {self._worker}",
                allow_reconnect=False,
                connect_timeout=round(TIMEOUT_S),
                ping_interval=2,
                max_outstanding_pings=2,
                error_cb=failed,
                closed_cb=over,
                disconnected_cb=over,
                **self._options,
            )
        except (nats_errors.Error, OSError, ValueError) as error:
            await _close(client)
            raise explained([*errors, error], self._access) from None
        connected = True
        tasks = [
            asyncio.ensure_future(work)
            for work in (gone.wait(), self._write(client), self._beat(client))
        ]
        try:
            await client.subscribe(
                f"{self._prefix}.audio.{self._worker}.*", cb=self._audio
            )
            await taken(client)
            if not gone.is_set():
                await self._follow_room(client)
                await taken(client)
            if not gone.is_set():
                self._be_there(client)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if errors:
                raise explained(errors, self._access)
        except (nats_errors.Error, OSError, ValueError) as error:
            raise explained([*errors, error], self._access) from None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _close(client)
        raise LostError("closed the connection")

    def _be_there(self, client: "Client") -> None:
        self._client = client
        self._complaints = Every(COMPLAIN_S)
        _LOGGER.info("%s is connected to worker %s", self.address, self._worker)

    async def _follow_room(self, client: "Client") -> None:
        """Be one of the group while there is room, so that others are asked else."""
        full = self._senders.full or self._closing
        if full and self._group is not None:
            group, self._group = self._group, None
            await group.unsubscribe()
        elif not full and self._group is None:
            self._group = await client.subscribe(
                f"{self._prefix}.open", queue=GROUP, cb=self._open
            )

    async def _write(self, client: "Client") -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            was_blocked = self.blocked
            while self._lines:
                await client.publish(*self._lines.popleft())
            if was_blocked:
                for transport in list(self._clients.values()):
                    if transport.sender is not None:
                        transport.sender.resume()

    async def _beat(self, client: "Client") -> None:
        loop = asyncio.get_running_loop()
        alive = Message({"type": "alive"}).line
        while True:
            await asyncio.sleep(ALIVE_S / 2)
            for transport in list(self._clients.values()):
                if loop.time() - transport.written >= ALIVE_S and not self.blocked:
                    transport.write(alive)
            if self._client is not None:
                await self._follow_room(client)

    # What clients say.

    async def _open(self, message: "Msg") -> None:
        if not message.reply:
            return  # nobody could be told anything
        number = next(self._numbers)
        transport = NatsTransport(self, message.reply, number)
        # Who may reach the subject at all is NATS's affair.
        sender = Sender(transport, self._senders, authorized=True)
        transport.sender = sender
        self._clients[number] = transport
        sender.begin()
        if not sender.ending:
            subject = f"{self._prefix}.audio.{self._worker}.{number}"
            placed = {"type": "placed", "worker": self._worker, "audio": subject}
            transport.write(json.dumps(placed).encode() + b"\n")
            sender.receive(message.data)
        if self._client is not None:
            await self._follow_room(self._client)

    async def _audio(self, message: "Msg") -> None:
        number = message.subject.rpartition(".")[2]
        transport = self._clients.get(int(number)) if number.isdecimal() else None
        if transport is None or transport.sender is None:
            return
        if not message.data:
            transport.sender.end_audio()
        # Nobody can be held back here: what comes too fast is lost, and leaves a gap.
        elif transport.sender.full:
            transport.sender.lose(len(message.data))
        else:
            transport.sender.audio(message.data)


async def _close(client: "Client") -> None:
    # It may complain of the very connection that was lost.
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), 1)
