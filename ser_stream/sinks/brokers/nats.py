"""NATS: messages to subjects `PREFIX.SOURCE.TYPE`.

NATS retains nothing: `hello` and `snapshot`, which say what holds now, are published
again on every connection and every half minute, the sign that we live.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from ser_stream.errors import ConfigError, MissingLibraryError
from ser_stream.protocol.address import Address, bracketed
from ser_stream.protocol.messages import Message
from ser_stream.sinks import SinkOptions
from ser_stream.sinks.brokers.link import TIMEOUT_S, Link, LostError, UnwantedError
from ser_stream.sinks.brokers.present import Present
from ser_stream.sinks.brokers.publisher import BrokerPublisher, Report
from ser_stream.sinks.brokers.settings import BrokerSettings
from ser_stream.sinks.brokers.tls import tls_context

try:
    from nats.aio.client import Client
    from nats.errors import Error as NatsError
except ImportError as error:
    raise MissingLibraryError(
        f"nats:// addresses need nats-py ({error}); pip install 'ser-stream[nats]'"
    ) from error

PORT = 4222
CLOSE_WAIT_S = 1.0


def open_sink(addresses: Sequence[Address], options: SinkOptions) -> BrokerPublisher:
    """Publish to all servers that these addresses name.

    Raises:
        ConfigError: if a prefix is no subject, or the password or the certificates
            cannot be read.
    """
    settings, password = options.broker, options.password()
    for address in addresses:
        if not all(re.split(r"[./]", address.path)):
            raise ConfigError(
                f"address {address}: a subject has no empty part; allowed is a prefix "
                "such as emotions or house.kitchen"
            )
    secure = any(address.kind == "tls" for address in addresses)
    tls = tls_context(settings.ca_file) if secure else None

    def links(report: Report) -> list[Link]:
        return [
            NatsLink(address, settings, password, tls, report) for address in addresses
        ]

    return BrokerPublisher(links, live=options.live, alone=options.alone)


class NatsLink(Link):
    """To one server, or a cluster behind one name."""

    def __init__(
        self,
        address: Address,
        settings: BrokerSettings,
        password: str | None,
        tls: ssl.SSLContext | None,
        unwanted: Report,
    ) -> None:
        super().__init__(str(address), unwanted)
        self._settings = settings
        port = address.port or PORT
        self._url = f"{address.kind}://{bracketed(address.host)}:{port}"
        self._prefix = address.path.replace("/", ".")
        self._options: dict[str, Any] = {"user": settings.user, "password": password}
        if settings.user is None and password is not None:
            self._options = {"token": password}
        if address.kind == "tls":
            self._options |= {"tls": tls, "tls_hostname": address.host}

    def connect(self) -> AbstractAsyncContextManager["NatsConnection"]:
        return self._connect()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator["NatsConnection"]:
        connected = False
        errors: list[Exception] = []
        gone = asyncio.Event()

        async def failed(error: Exception) -> None:
            errors.append(error)
            if not connected:
                # Else the library itself would try again, and slowly.
                raise self._explained(errors)

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
                ping_interval=self._settings.keepalive_s,
                max_outstanding_pings=1,
                error_cb=failed,
                closed_cb=over,
                disconnected_cb=over,
                **self._options,
            )
            connected = True
            yield NatsConnection(client, self._prefix, self.present, gone)
        except (NatsError, OSError, ValueError) as error:
            raise self._explained([*errors, error]) from None
        except LostError:
            if connected and errors:
                raise self._explained(errors) from None
            raise
        finally:
            # It waits for a connection that failed in TLS to be closed, in vain.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.close(), CLOSE_WAIT_S)

    def _explained(self, errors: Sequence[Exception]) -> LostError:
        for error in errors:
            text = str(error)
            if "authorization" in text.lower() or "authentication" in text.lower():
                who = self._settings.user
                return UnwantedError(
                    f"refuses {'us without a user' if who is None else f'user {who}'} "
                    f"({text.removeprefix('nats: ')}); check broker.user and "
                    "broker.password_file"
                )
            if isinstance(error, ssl.SSLCertVerificationError):
                return UnwantedError(
                    "has a certificate that is not trusted "
                    f"({error.verify_message}); set broker.ca_file to the certificate "
                    "of the authority that signed it"
                )
        said = next((str(e) for e in errors if str(e)), type(errors[-1]).__name__)
        return LostError(f"is not reached: {said.removeprefix('nats: ')}")


class NatsConnection:
    """One connection, as `Link` uses it."""

    def __init__(
        self, client: Client, prefix: str, present: Present, gone: asyncio.Event
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._present = present
        self._gone = gone

    async def begin(self) -> None:
        await self.refresh()

    async def refresh(self) -> None:
        for message in self._present.greeting():
            await self.publish(message)
        await self._client.flush(round(TIMEOUT_S))

    async def update(self) -> None:
        """Nothing is retained."""

    async def publish(self, message: Message) -> None:
        source = token(message.fields.get("source") or default_source())
        subject = f"{self._prefix}.{source}.{message.type}"
        await self._client.publish(subject, message.line[:-1])
        if message.type != "prediction":
            # The server answers when it has all that came before.
            await self._client.flush(round(TIMEOUT_S))

    async def end(self) -> None:
        await self._client.flush(round(TIMEOUT_S))

    async def lost(self) -> None:
        await self._gone.wait()


def default_source() -> str:
    """Of a daemon with one source: the machine's name, without its domain."""
    return socket.gethostname().partition(".")[0] or "host"


def token(name: str) -> str:
    """A source's name as one part of a subject."""
    return re.sub(r"[\s.*>]", "_", name)
