"""A sink of any number of links to brokers, in one loop."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from ser_stream.errors import SerStreamError, SinkError
from ser_stream.protocol.address import Address
from ser_stream.protocol.messages import Message
from ser_stream.sinks import LinkState, Publisher, SinkOptions
from ser_stream.sinks.brokers.access import BrokerAccess
from ser_stream.sinks.brokers.daemon_threads import DaemonThreads
from ser_stream.sinks.brokers.link import Link
from ser_stream.sinks.sockets.loop_thread import LoopThread

_LOGGER = logging.getLogger(__name__)
CLOSE_WAIT_S = 2.0
"""For a broker to take what is left when the program ends."""
MOST_BEHIND = 50
"""Messages that may wait before a recording waits too."""
LONGEST_S = 5.0
"""So long a recording waits for a broker that takes nothing."""
_POLL_S = 0.005

Report = Callable[[str], None]
"""Told why a broker does not want us."""


def publish_to(
    addresses: Sequence[Address],
    options: SinkOptions,
    link: Callable[[Address, BrokerAccess, Report], Link],
) -> "BrokerPublisher":
    """Publish to all brokers that these addresses name, each by its `link`.

    Raises:
        ConfigError: if the password or the certificates cannot be read.
    """
    access = BrokerAccess.of(addresses, options)
    return BrokerPublisher(
        lambda report: [link(address, access, report) for address in addresses],
        live=options.live,
        alone=options.alone,
    )


class BrokerPublisher(Publisher):
    """Publishes to brokers; nothing ever waits for them, unless audio is not live."""

    def __init__(
        self, links: Callable[[Report], Sequence[Link]], *, live: bool, alone: bool
    ) -> None:
        """Begin to connect.

        Args:
            links: makes them, in the loop; each is told whom to report to.
            live: whether audio comes by the clock; a recording waits for brokers.
            alone: False where the program goes on without brokers that refuse us.
        """
        self.error: SerStreamError | None = None
        self._alone = alone
        self._live = live
        self._closed = False
        self._waits = True
        self._links: list[Link] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = LoopThread("brokers")
        self._loop.start()
        self._loop.run(self._begin(links))

    # From any thread.

    @property
    def closed(self) -> bool:
        return self._closed or self.error is not None

    @property
    def links(self) -> list[LinkState]:
        return [link.state for link in self._links]

    def send(self, message: Message, /) -> None:
        if self._closed:
            return
        message.line  # noqa: B018  encoded here, once for all
        self._loop.call(self._put, message)
        if not self._live and self._waits:
            self._loop.run(self._room())

    def stop_waiting(self) -> None:
        self._waits = False

    def close(self) -> None:
        """Give brokers that are connected 2 s to take what is left."""
        if self._closed:
            return
        self._closed = True
        try:
            self._loop.run(self._part())
        finally:
            self._loop.stop()
        self._tell_undelivered()

    def _tell_undelivered(self) -> None:
        """Say what never arrived; of a recording nothing else would tell."""
        for link in self._links:
            if not (lost := link.undelivered):
                continue
            said = f"{link.address}: {lost} events were not delivered"
            _LOGGER.warning("%s", said)
            ends = self._alone and not self._live and self._waits
            if ends and not link.state.sent and self.error is None:
                self.error = SinkError(f"{said}; {link.state.detail}")

    # In the loop's thread.

    async def _begin(self, links: Callable[[Report], Sequence[Link]]) -> None:
        asyncio.get_running_loop().set_default_executor(DaemonThreads())
        self._links = list(links(self._refused))
        self._tasks = [asyncio.create_task(link.run()) for link in self._links]

    def _refused(self, why: str) -> None:
        if self._alone:
            self.error = SinkError(why)

    def _put(self, message: Message) -> None:
        for link in self._links:
            link.put(message)

    async def _room(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONGEST_S
        while self._waits and loop.time() < deadline and not self.closed:
            if all(link.behind <= MOST_BEHIND for link in self._links):
                return
            await asyncio.sleep(_POLL_S)

    async def _part(self) -> None:
        for link in self._links:
            link.close()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=CLOSE_WAIT_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
