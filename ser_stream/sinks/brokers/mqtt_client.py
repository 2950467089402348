"""aiomqtt's client, which tells what a broker refuses, and leaves nothing open."""

import asyncio
from typing import Any, Self

import aiomqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ser_stream.sinks.brokers.link import RefusedMessageError


class RefusedByCodeError(RefusedMessageError):
    """With the code of MQTT 5 that it answers."""

    def __init__(self, topic: str, code: ReasonCode) -> None:
        super().__init__(f"{topic}: {code}")
        self.code = code


class MqttClient(aiomqtt.Client):
    """As aiomqtt's. For one message at a time."""

    _refusal: ReasonCode | None = None

    async def deliver(
        self,
        topic: str,
        payload: bytes | str,
        *,
        qos: int,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> None:
        """Publish; with `qos` 1, until the broker has it.

        Raises:
            RefusedByCodeError: if the broker answers that it does not take it, which
                it cannot before MQTT 5, nor with `qos` 0.
            aiomqtt.MqttError: if there is no answer, or no connection.
        """
        self._refusal = None
        await self.publish(topic, payload, qos, retain, properties)
        if self._refusal is not None:
            raise RefusedByCodeError(topic, self._refusal)

    # aiomqtt (2.5) does not look at the code that the broker answers with.
    def _on_publish(
        self,
        client: Any,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        if reason_code.is_failure:
            self._refusal = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)

    async def __aenter__(self) -> Self:
        try:
            return await super().__aenter__()
        except BaseException:
            # aiomqtt leaves it open, where a broker takes us and says no more; where we
            # do not wait for that any longer, it would stumble over it.
            if self._connected.cancelled():
                self._connected = asyncio.Future()
            self._client.disconnect()
            raise
