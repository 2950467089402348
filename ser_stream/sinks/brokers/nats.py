"""NATS: messages to subjects `PREFIX.SOURCE.TYPE`.

NATS retains nothing: `hello` and `snapshot`, which say what holds now, are published
again on every connection and every half minute, the sign that we live.
"""

import asyncio
import contextlib
import re
import socket
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from ser_stream.errors import ConfigError, MissingLibraryError
from ser_stream.protocol.address import Address
from ser_stream.protocol.messages import Message
from ser_stream.sinks import SinkOptions
from ser_stream.sinks.brokers.access import BrokerAccess
from ser_stream.sinks.brokers.link import (
    TIMEOUT_S,
    Link,
    LostError,
    RefusedMessageError,
)
from ser_stream.sinks.brokers.nats_server import (
    FORBIDDEN,
    connect_options,
    explained,
    taken,
    url,
)
from ser_stream.sinks.brokers.present import Present
from ser_stream.sinks.brokers.publisher import BrokerPublisher, Report, publish_to

try:
    from nats.aio.client import Client
    from nats.errors import Error as NatsError
except ImportError as error:
    raise MissingLibraryError(
        f"nats:// addresses need nats-py ({error}); pip install 'ser-stream[nats]'"
    ) from error

CLOSE_WAIT_S = 1.0
MOST_REFUSALS = 100
"""That are kept while a message waits for its answer."""


def open_sink(addresses: Sequence[Address], options: SinkOptions) -> BrokerPublisher:
    """Publish to all servers that these addresses name.

    Raises:
        ConfigError: if a prefix is no subject, or the password or the certificates
            cannot be read.
    """
    for address in addresses:
        if not all(re.split(r"[./]", address.path)):
            raise ConfigError(
                f"address {address}: a subject has no empty part; allowed is a prefix "
                "such as emotions or house.kitchen"
            )
    return publish_to(addresses, options, NatsLink)


class NatsLink(Link):
    """To one server, or a cluster behind one name."""

    def __init__(
        self, address: Address, access: BrokerAccess, unwanted: Report
    ) -> None:
        super().__init__(str(address), unwanted)
        self._access = access
        self._url = url(address)
        self._prefix = address.path.replace("/", ".")
        self._options = connect_options(address, access)

    def connect(self) -> AbstractAsyncContextManager["NatsConnection"]:
        return self._connect()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator["NatsConnection"]:
        connected = False
        errors: list[Exception] = []
        refusals = deque[str](maxlen=MOST_REFUSALS)
        gone = asyncio.Event()

        async def failed(error: Exception) -> None:
            if connected and FORBIDDEN in str(error).lower():
                refusals.append(str(error).removeprefix("nats: "))
                self.refuses(refusals[-1])
                return
            errors.append(error)
            if not connected:
                # Else the library itself would try again, and slowly.
                raise explained(errors, self._access)

        async def over() -> None:
            gone.set()

        client = Client()
        try:
            await client.connect(
                self._url,
                name=f"ser-stream {self._prefix}",
                # Beginning again is ours, to know what arrived and what did not.
                allow_reconnect=False,
                connect_timeout=round(TIMEOUT_S),
                ping_interval=self._access.settings.keepalive_s,
                max_outstanding_pings=1,
                error_cb=failed,
                closed_cb=over,
                disconnected_cb=over,
                **self._options,
            )
            connected = True
            yield NatsConnection(client, self._prefix, self.present, refusals, gone)
        except RefusedMessageError as error:
            raise self._access.refused(error) from None
        except (NatsError, OSError, ValueError) as error:
            raise explained([*errors, error], self._access) from None
        except LostError:
            if connected and errors:
                raise explained(errors, self._access) from None
            raise
        finally:
            # It waits for a connection that failed in TLS to be closed, in vain.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.close(), CLOSE_WAIT_S)


class NatsConnection:
    """One connection, as `Link` uses it."""

    def __init__(
        self,
        client: Client,
        prefix: str,
        present: Present,
        refusals: deque[str],
        gone: asyncio.Event,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._present = present
        self._refusals = refusals
        self._gone = gone

    async def begin(self) -> None:
        """A RefusedMessageError if the server does not take the first message."""
        greeting = self._present.greeting()
        for message in greeting[:1]:
            await self.publish(message)
        await self._greet(greeting[1:])

    async def refresh(self) -> None:
        await self._greet(self._present.greeting())

    async def _greet(self, greeting: Sequence[Message]) -> None:
        for message in greeting:
            with contextlib.suppress(RefusedMessageError):
                await self.publish(message)
        await taken(self._client)

    async def update(self) -> None:
        """Nothing is retained."""

    async def publish(self, message: Message) -> None:
        source = token(message.fields.get("source") or default_source())
        subject = f"{self._prefix}.{source}.{message.type}"
        self._refusals.clear()
        await self._client.publish(subject, message.line[:-1])
        if message.type == "prediction":
            return
        await taken(self._client)
        # What the server says against a message, it says before it answers.
        for refusal in self._refusals:
            if f'"{subject.lower()}"' in refusal.lower():
                raise RefusedMessageError(refusal)

    async def end(self) -> None:
        await taken(self._client)

    async def lost(self) -> None:
        await self._gone.wait()


def default_source() -> str:
    """Of a daemon with one source: the machine's name, without its domain."""
    return socket.gethostname().partition(".")[0] or "host"


def token(name: str) -> str:
    """A source's name as one part of a subject."""
    return re.sub(r"[\s.*>]", "_", name)
