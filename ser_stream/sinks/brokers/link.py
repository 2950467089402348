"""One broker: connect, deliver, begin again; its queue and its counts."""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from random import uniform
from typing import Protocol

from ser_stream.log import Every
from ser_stream.protocol.messages import Message
from ser_stream.sinks import LinkState
from ser_stream.sinks.brokers.outbox import Outbox
from ser_stream.sinks.brokers.present import Present

_LOGGER = logging.getLogger(__name__)
PAUSES_S = (0.1, 0.2, 0.5, 1.0)
"""Between attempts to connect, the last one for good; each up to a fifth less."""
REFUSED_PAUSE_S = 10.0
"""Likewise where the broker does not want us: too often, and it may block us."""
REFUSAL_EVERY_S = 3600.0
"""Between two lines of the log about messages that a broker does not take."""
REFRESH_S = 30.0
"""How often what holds now is published again."""
TIMEOUT_S = 5.0
"""For the broker to answer."""


class LostError(Exception):
    """No connection to the broker, or no longer; says why."""


class UnwantedError(LostError):
    """The broker does not want us, or we do not trust it; says what to do."""


class RefusedMessageError(Exception):
    """The broker does not take one message, but stays; says of what topic, and why."""


class Connection(Protocol):
    """To a broker; every method raises a LostError when that is gone."""

    async def begin(self) -> None:
        """Say what holds now, whatever was said before."""

    async def refresh(self) -> None:
        """Say it again."""

    async def update(self) -> None:
        """Say what of it has changed."""

    async def publish(self, message: Message) -> None:
        """Deliver one message; an emotion or a status until the broker has it.

        Raises:
            RefusedMessageError: if it answers that it does not take it, when the log
                has been told.
        """

    async def end(self) -> None:
        """Say that we are gone, and that nothing holds any more."""

    async def lost(self) -> None:
        """Return when the connection is gone."""


class Link(ABC):
    """Delivers to one broker for as long as it lives; all in the loop's thread."""

    def __init__(self, address: str, unwanted: Callable[[str], None]) -> None:
        """Prepare; `run` begins.

        Args:
            address: as it is shown.
            unwanted: told why, if the broker refuses us before it ever took us.
        """
        self.address = address
        self.present = Present()
        self.outbox = Outbox()
        self._unwanted = unwanted
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._sent = 0
        self._connected = self._was_connected = False
        self._detail = "connecting"
        self._complaints = Every(60.0)
        self._refusals = Every(REFUSAL_EVERY_S)

    @abstractmethod
    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """A connection, closed in the end; a LostError if there is none."""

    @property
    def state(self) -> LinkState:
        return LinkState(
            self.address, self._connected, self._sent, self.outbox.dropped, self._detail
        )

    @property
    def undelivered(self) -> int:
        """Events so far that did not arrive, at the end also what still waits."""
        return self.outbox.undelivered

    @property
    def behind(self) -> int:
        """How many messages wait for a broker that may take them."""
        return 0 if self.outbox.away else len(self.outbox)

    def refuses(self, why: object) -> None:
        """Have the log tell now and then that the broker does not take a message."""
        self._refusals.log(_LOGGER, logging.WARNING, "%s refuses %s", self.address, why)

    def put(self, message: Message) -> None:
        self.present.follow(message)
        self.outbox.put(message)
        self._wake.set()

    def close(self) -> None:
        """Deliver what waits, say that we are gone, and end."""
        self._closing.set()
        self._wake.set()

    async def run(self) -> None:
        """Until `close`."""
        attempts = 0
        while not self._closing.is_set():
            try:
                async with self.connect() as connection:
                    await self._serve(connection)
            except UnwantedError as error:
                self._leave(str(error))
                if not self._was_connected:
                    self._unwanted(f"{self.address} {error}")
                pause = REFUSED_PAUSE_S
            except LostError as error:
                attempts = 0 if self._connected else attempts + 1
                self._leave(str(error))
                pause = PAUSES_S[min(attempts, len(PAUSES_S) - 1)]
            else:
                break
            # Not all at once, those who lost the same broker.
            with contextlib.suppress(TimeoutError):
                pause *= uniform(0.8, 1.0)
                await asyncio.wait_for(self._closing.wait(), pause)

    def _leave(self, why: str) -> None:
        if self._connected or not self.outbox.away:
            self._complaints = Every(60.0)
        self._complaints.log(
            _LOGGER, logging.WARNING, "%s %s; it is tried again", self.address, why
        )
        self._connected, self._detail = False, why
        self.outbox.leave()

    def _arrive(self) -> None:
        self._connected = self._was_connected = True
        self._detail = ""
        self.outbox.away = False
        _LOGGER.info("%s is connected", self.address)

    async def _serve(self, connection: Connection) -> None:
        work = asyncio.ensure_future(self._work(connection))
        lost = asyncio.ensure_future(connection.lost())
        try:
            await asyncio.wait((work, lost), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                lost.result()
                raise LostError("closed the connection")
            work.result()
        finally:
            for task in (work, lost):
                task.cancel()
            await asyncio.gather(work, lost, return_exceptions=True)

    async def _work(self, connection: Connection) -> None:
        await connection.begin()
        self._arrive()
        loop = asyncio.get_running_loop()
        refresh = loop.time() + REFRESH_S
        while True:
            self._wake.clear()
            await connection.update()
            while (message := self.outbox.take()) is not None:
                await self._deliver(connection, message)
                await connection.update()
            if self._closing.is_set():
                await connection.end()
                return
            try:
                await asyncio.wait_for(self._wake.wait(), refresh - loop.time())
            except TimeoutError:
                await connection.refresh()
                refresh = loop.time() + REFRESH_S

    async def _deliver(self, connection: Connection, message: Message) -> None:
        try:
            await connection.publish(message)
        except RefusedMessageError:
            self.outbox.drop(message)
            return
        except BaseException:
            self.outbox.failed(message)
            raise
        # Of what has a number, so that sent and dropped are all that there was.
        self._sent += "seq" in message.fields
