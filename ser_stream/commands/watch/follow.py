"""The messages of a daemon, and when it is not there: over all connections."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ser_stream.client import Message, UnreachableError
from ser_stream.client.aio import connect
from ser_stream.client.retry import Backoff
from ser_stream.protocol.address import Address


@dataclass(frozen=True)
class Lost:
    """There is no connection, or not any more; another is tried soon."""

    why: str


@dataclass(frozen=True)
class Found:
    """Where the daemon answered; its first message follows."""

    address: Address


async def follow(
    uri: str | None, token: str | None
) -> AsyncIterator[Message | Lost | Found]:
    """What a daemon says, for ever; with the delays of every client between tries.

    Raises:
        SerStreamError: what another try would not mend, as a wrong token.
    """
    backoff = Backoff()
    while True:
        try:
            async with connect(uri, token=token, reconnect=False) as stream:
                backoff.reset()
                yield Found(stream.address)
                async for message in stream:
                    yield message
            lost = Lost("the daemon has ended")
        except UnreachableError as error:
            lost = Lost(str(error))
        yield lost
        await asyncio.sleep(backoff.next())
