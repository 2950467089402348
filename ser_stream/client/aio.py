"""The same as `ser_stream.client.connect` and `send`, for asyncio."""

import asyncio
from collections import deque
from typing import Self, Unpack

from ser_stream.client.aio_connection import Connection
from ser_stream.client.aio_sending import SentStream, send
from ser_stream.client.messages import Message
from ser_stream.client.subscription import Described, Options, Subscription
from ser_stream.errors import SerStreamError

__all__ = ["SentStream", "Stream", "connect", "send"]


class Stream(Described):
    """Iterates over messages, and is a context that closes the connection.

    Made by `connect`. It connects when it is entered, or when it is first iterated.
    """

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription)
        self._connection: Connection | None = None
        self._closed = False
        self._waiting: deque[Message] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        if self._waiting:
            return self._waiting.popleft()
        while not self._closed:
            try:
                message = await self._receive()
            except SerStreamError as error:
                await self._disconnect()
                delay = self._subscription.failed(error)
                if delay is None:
                    break
                await asyncio.sleep(delay)
            else:
                if message is not None:
                    return message
        await self.close()
        raise StopAsyncIteration

    async def _receive(self) -> Message | None:
        ours = self._subscription
        timeout = ours.line_timeout()
        if self._connection is None:
            connection = Connection(ours.address)
            await connection.open(ours.timeout)
            self._connection = connection
            connection.send(*ours.begin())
        line = await self._connection.receive(timeout)
        if line is None:
            self._connection.send(ours.nothing_came())
            return None
        message = ours.receive(line)
        if ours.over:
            await self._disconnect()
        return message

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def close(self) -> None:
        self._closed = True
        self._waiting.clear()
        await self._disconnect()

    async def __aenter__(self) -> Self:
        try:
            # `hello` is waited for, and yet the first message.
            self._waiting.append(await anext(self))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def connect(uri: str | None = None, **options: Unpack[Options]) -> Stream:
    """Subscribe to a daemon.

        async with connect() as stream:
            async for message in stream:
                if message["type"] == "emotion" and message["phase"] == "start":
                    print(message["label"])

    Arguments and errors are those of `ser_stream.client.connect`.
    """
    return Stream(Subscription(uri, **options))
