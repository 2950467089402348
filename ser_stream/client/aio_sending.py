"""The same as `ser_stream.client.send`, for asyncio."""

from collections import deque
from typing import Any, Self, Unpack

from ser_stream.client.aio_connection import Connection
from ser_stream.client.messages import Hello, Message
from ser_stream.client.opening import Opening, SendOptions, ended, silent

_LOOK_S = 3600.0


class SentStream:
    """Iterates over events, and is a context that closes the connection.

    Made by `send`. One task may write while another iterates; of a recording that is
    written at once it must, since the daemon waits for its reader.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._connection = Connection(opening.address)
        self._waiting: deque[Message] = deque()
        self._over = self._ended = False
        self.hello: Hello
        """What the daemon says of itself and of the stream, once it is entered."""

    async def __aenter__(self) -> Self:
        await self._connection.open(self._opening.timeout)
        try:
            self._connection.send(*self._opening.lines())
            while not self._waiting:
                line = await self._connection.receive(self._opening.timeout)
                if line is None:
                    raise silent(self._opening.address)
                message = self._opening.message(line)
                if message is not None and message["type"] == "hello":
                    self.hello = message
                    self._waiting.append(message)
        except BaseException:
            await self._connection.close()
            raise
        return self

    async def write(self, samples: Any) -> None:
        """Send the next samples; see `ser_stream.client.SentStream.write`."""
        if self._ended:
            raise ended()
        await self._connection.send_audio(self._opening.sample_bytes(samples))

    def end(self) -> None:
        """No more audio comes; the iteration goes on to the last event."""
        self._ended = True
        self._connection.end_audio()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        if self._waiting:
            return self._waiting.popleft()
        while not self._over:
            line = await self._connection.receive(_LOOK_S)
            message = None if line is None else self._opening.message(line)
            if message is not None:
                self._over = message["type"] == "bye"
                return message
        raise StopAsyncIteration

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()


def send(uri: str, **options: Unpack[SendOptions]) -> SentStream:
    """Open a stream at a `ser-stream serve`.

        async with send("ws://127.0.0.1:8770", rate=48000) as stream:
            await stream.write(samples)
            stream.end()
            async for event in stream:
                ...

    Arguments and errors are those of `ser_stream.client.send`.
    """
    return SentStream(Opening(uri, options))
