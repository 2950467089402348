"""One connection to a daemon, for asyncio."""

import asyncio
import contextlib

from ser_stream.client.connection import READ_SIZE, lost, unreachable
from ser_stream.client.framing import LineConnection
from ser_stream.client.lines import encode
from ser_stream.protocol.address import Address


class Connection:
    """Lines out, lines in; as `ser_stream.client.connection`, with `await`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._wire = LineConnection(address)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self, within: float) -> None:
        """Connect within so many seconds.

        Raises:
            UnreachableError: if nothing listens there.
            AccessError: if that is not permitted.
        """
        address = self._address
        try:
            async with asyncio.timeout(within):
                if address.kind == "unix":
                    opened = await asyncio.open_unix_connection(
                        address.path, limit=READ_SIZE
                    )
                else:
                    opened = await asyncio.open_connection(
                        address.host, address.port, limit=READ_SIZE
                    )
        except OSError as error:
            raise unreachable(address, error) from None
        self._reader, self._writer = opened
        # `send_audio` waits until the system has all: it delivers that when we leave.
        self._writer.transport.set_write_buffer_limits(high=0)

    def send(self, *lines: bytes) -> None:
        """Send lines; they are few and short, so that there is nothing to wait for."""
        self._writer.write(self._wire.outgoing(*lines))

    async def send_audio(self, data: bytes) -> None:
        """Send audio; waits while the daemon takes no more.

        Raises:
            UnreachableError: if the connection is lost.
        """
        try:
            self._writer.write(self._wire.outgoing_audio(data))
            await self._writer.drain()
        except OSError as error:
            raise lost(self._address, error) from None

    def end_audio(self) -> None:
        """Tell that no more comes; what is told can still be read."""
        if self._address.kind == "ws":
            self.send(encode({"type": "end"}))
        elif self._writer.can_write_eof():
            # Where the connection is lost, `receive` tells, and first what came before.
            with contextlib.suppress(OSError):
                self._writer.write_eof()

    async def receive(self, within: float) -> bytes | None:
        """The next line without its end; None if none came in so many seconds.

        Raises:
            UnreachableError: if the connection is lost.
            ProtocolError: if it is no connection to a daemon.
        """
        try:
            async with asyncio.timeout(within):
                while not self._wire.lines:
                    self._wire.take(await self._reader.read(READ_SIZE))
                    self._flush()
        except TimeoutError:
            return None
        except OSError as error:
            raise lost(self._address, error) from None
        return self._wire.lines.popleft()

    def _flush(self) -> None:
        # Answers to pings; where audio has ended, nothing can be written any more.
        data = self._wire.outgoing()
        if data:
            self._writer.write(data)

    async def close(self) -> None:
        """Leave at once; what could not be sent so far is dropped."""
        transport = self._writer.transport
        if transport.get_write_buffer_size():
            # Closed, it would wait until all is taken, however long that may be.
            transport.abort()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
