"""MQTT: messages, retained state, and availability by last will.

    PREFIX/availability                   online or offline, retained
    PREFIX/[SOURCE/]TYPE                  each message of the protocol; `hello` retained
    PREFIX/[SOURCE/]state/emotion, ...    what holds now, retained

A broker that was away may have kept what it was told before. So all of it is published
anew on every connection, and expires there when that is not done again.
"""

import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from ser_stream.errors import MissingLibraryError
from ser_stream.protocol.address import Address
from ser_stream.protocol.messages import Message
from ser_stream.sinks import SinkOptions
from ser_stream.sinks.brokers import home_assistant
from ser_stream.sinks.brokers.access import BrokerAccess, untrusted
from ser_stream.sinks.brokers.link import (
    TIMEOUT_S,
    Link,
    LostError,
    RefusedMessageError,
)
from ser_stream.sinks.brokers.present import Present, level
from ser_stream.sinks.brokers.publisher import BrokerPublisher, Report, publish_to
from ser_stream.sinks.brokers.settings import BrokerSettings

try:
    import aiomqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    from ser_stream.sinks.brokers.mqtt_client import MqttClient, RefusedByCodeError
except ImportError as error:
    raise MissingLibraryError(
        f"mqtt:// addresses need aiomqtt ({error}); pip install 'ser-stream[mqtt]'"
    ) from error

PORTS = {"mqtt": 1883, "mqtts": 8883}
EXPIRY_S = 90
"""Seconds after which a broker forgets what it retains for us, if it speaks MQTT 5."""
ONLINE, OFFLINE = "online", "offline"
UNWANTED = (4, 5, 134, 135, 138, 140)
"""Codes of a broker that will not have us as we are."""
NO_VERSION_5 = (1, 132)
_QUIET = logging.getLogger("ser_stream.mqtt_library")
"""What the library has to say, which we say ourselves."""
_QUIET.setLevel(logging.CRITICAL)


def open_sink(addresses: Sequence[Address], options: SinkOptions) -> BrokerPublisher:
    """Publish to all brokers that these addresses name.

    Raises:
        ConfigError: if the password or the certificates cannot be read.
    """
    return publish_to(addresses, options, MqttLink)


class MqttLink(Link):
    """To one broker."""

    def __init__(
        self, address: Address, access: BrokerAccess, unwanted: Report
    ) -> None:
        super().__init__(str(address), unwanted)
        self._address = address
        self._access = access
        self._settings = settings = access.settings
        self._version = aiomqtt.ProtocolVersion.V5
        self._told: set[str] = set()
        """Topics that the broker may still retain, whatever the connection was."""
        # The same after a restart: a broker then ends the old connection at once,
        # instead of saying much later that we are offline.
        name = f"{socket.gethostname()}-{address.path}".replace("/", "-")
        self._client_id = settings.client_id or f"ser-stream-{name}"[:128]

    def connect(self) -> AbstractAsyncContextManager["MqttConnection"]:
        return self._connect()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator["MqttConnection"]:
        prefix, five = self._address.path, self._version is aiomqtt.ProtocolVersion.V5
        client = MqttClient(
            self._address.host,
            self._address.port or PORTS[self._address.kind],
            username=self._settings.user,
            password=self._access.password,
            identifier=self._client_id,
            protocol=self._version,
            # Nothing is to be kept for us while we are away.
            clean_session=None if five else True,
            clean_start=five,
            will=aiomqtt.Will(f"{prefix}/availability", OFFLINE, qos=1, retain=True),
            keepalive=self._settings.keepalive_s,
            timeout=TIMEOUT_S,
            tls_context=self._access.tls(self._address),
            logger=_QUIET,
        )
        try:
            async with client:
                yield MqttConnection(
                    client,
                    prefix,
                    self.present,
                    self._settings,
                    five,
                    self._told,
                    self.refuses,
                )
        except RefusedByCodeError as error:
            if error.code.value in UNWANTED:
                raise self._access.refused(error) from None
            raise LostError(f"refuses {error}") from None
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> LostError:
        code = getattr(error, "rc", None)
        number = getattr(code, "value", code)
        if number in NO_VERSION_5 and self._version is aiomqtt.ProtocolVersion.V5:
            self._version = aiomqtt.ProtocolVersion.V311
            return LostError("does not know MQTT 5; 3.1.1 is spoken")
        if number in UNWANTED:
            return self._access.refused(code)
        text = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            reason = text.rpartition("failed: ")[2].partition(" (_ssl")[0]
            return untrusted(reason)
        return LostError(f"is not reached: {text}")


class MqttConnection:
    """One connection, as `Link` uses it."""

    def __init__(
        self,
        client: MqttClient,
        prefix: str,
        present: Present,
        settings: BrokerSettings,
        five: bool,
        told: set[str],
        refuses: Callable[[object], None],
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._present = present
        self._settings = settings
        self._five = five
        self._told = told
        self._refuses = refuses
        self._retained: dict[str, str] = {}
        """What was published on this connection, by topic."""

    async def begin(self) -> None:
        await self.refresh()
        for message in self._present.greeting():
            with suppress(RefusedMessageError):
                await self.publish(message)

    async def refresh(self) -> None:
        self._retained = {}
        await self.update()
        # Last: who trusts it finds the rest right. Refused, it ends the connection.
        await self._retain(f"{self._prefix}/availability", ONLINE)

    async def update(self) -> None:
        wanted = self._wanted()
        for topic in self._told - wanted.keys():
            # Of a source that is gone; an empty message is what is not retained.
            await self._retain(topic, "")
            self._told.discard(topic)
            self._retained.pop(topic, None)
        for topic, payload in wanted.items():
            if self._retained.get(topic) != payload:
                self._told.add(topic)
                await self._retain(topic, payload, qos=0 if "/level" in topic else 1)
                self._retained[topic] = payload

    async def publish(self, message: Message) -> None:
        if message.type == "hello":
            return  # it is retained, and `update` has seen to that
        source = message.fields.get("source")
        try:
            await self._client.deliver(
                self._topic(source, message.type),
                message.line[:-1],
                qos=0 if message.type == "prediction" else 1,
            )
        except RefusedMessageError as error:
            self._refuses(error)
            raise

    async def end(self) -> None:
        await self._retain(f"{self._prefix}/availability", OFFLINE, lasts=True)
        await self.update()

    async def lost(self) -> None:
        try:
            async for _ in self._client.messages:
                pass
        except aiomqtt.MqttError as error:
            why = getattr(error.__cause__, "rc", None) or error.__cause__
            raise LostError(f"closed the connection ({why})") from None

    def _topic(self, source: str | None, name: str) -> str:
        return "/".join(
            [self._prefix, *([] if source is None else [level(source)]), name]
        )

    def _wanted(self) -> dict[str, str]:
        wanted = {
            self._topic(name, f"state/{what}"): payload
            for name, source in self._present.sources.items()
            for what, payload in source.state.items()
        }
        for name, source in self._present.sources.items():
            if source.hello is not None:
                hello = source.hello.line[:-1].decode()
                wanted[self._topic(name, "hello")] = hello
        if self._settings.discovery:
            topic, config = home_assistant.discovery(
                self._prefix, self._settings.discovery_prefix, self._present
            )
            if config is not None:
                wanted[topic] = json.dumps(config, ensure_ascii=False)
        return wanted

    async def _retain(
        self, topic: str, payload: str, *, qos: int = 1, lasts: bool = False
    ) -> None:
        properties = None
        # Home Assistant asks again for what has expired, but not for how we are found.
        if self._five and not lasts and topic.startswith(f"{self._prefix}/"):
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = EXPIRY_S
        try:
            await self._client.deliver(
                topic, payload, qos=qos, retain=True, properties=properties
            )
        except RefusedMessageError as error:
            if topic == f"{self._prefix}/availability":
                raise
            why = str(error)
            if not topic.startswith(f"{self._prefix}/"):
                why += (
                    ", so Home Assistant does not find us; allow it, or set "
                    "broker.discovery = false"
                )
            self._refuses(why)
