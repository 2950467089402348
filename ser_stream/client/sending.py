"""`send`: audio to `ser-stream serve`, and the events of it."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any, Self, Unpack

from ser_stream.client.connection import READ_SIZE, Connection, lost
from ser_stream.client.errors import UnreachableError
from ser_stream.client.lines import encode
from ser_stream.client.messages import Hello, Message
from ser_stream.client.opening import Opening, SendOptions, ended, silent
from ser_stream.client.subscription import TIMEOUT
from ser_stream.errors import SerStreamError
from ser_stream.protocol.address import NATS, Address

_LOOK_S = 3600.0


class _AudioConnection(Connection):
    """A connection of which one thread writes while another reads.

    The reader never waits for the writer, who may be held back until it has read.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        super().__init__(address, timeout)
        self._state = threading.Lock()
        self._writing = threading.Lock()

    def send(self, *lines: bytes) -> None:
        with contextlib.suppress(OSError), self._writing:
            with self._state:
                data = self._wire.outgoing(*lines)
            self._socket.sendall(data)

    def send_audio(self, data: bytes) -> None:
        """Send audio; waits while the daemon takes no more.

        Raises:
            UnreachableError: if the connection is lost.
        """
        try:
            with self._writing:
                with self._state:
                    data = self._wire.outgoing_audio(data)
                self._socket.sendall(data)
        except OSError as error:
            raise lost(self._address, error) from None

    def end_audio(self) -> None:
        """Tell that no more comes; what is told can still be read."""
        if self._address.kind == "ws":
            self.send(encode({"type": "end"}))
            return
        with contextlib.suppress(OSError), self._writing:
            self._socket.shutdown(socket.SHUT_WR)

    def receive(self, timeout: float) -> bytes | None:
        try:
            while not self._wire.lines:
                data = self._socket.recv(READ_SIZE)
                with self._state:
                    self._wire.take(data)
                # Answers to pings; if they cannot go now, they go with what is sent.
                if self._writing.acquire(blocking=False):
                    try:
                        with self._state:
                            data = self._wire.outgoing()
                        if data:
                            self._socket.sendall(data)
                    finally:
                        self._writing.release()
        except TimeoutError:
            return None
        except OSError as error:
            raise lost(self._address, error) from None
        return self._wire.lines.popleft()

    def wait_forever(self) -> None:
        """From now on nothing times out."""
        self._socket.settimeout(None)


class SentStream:
    """One stream of audio; a context that closes the connection. Made by `send`.

    One thread may write while another reads events.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._address = opening.address
        self._messages: SimpleQueue[Message | SerStreamError | None] = SimpleQueue()
        self._failure: SerStreamError | None = None
        self._ended = self._over = False
        self._connection = _AudioConnection(self._address, opening.timeout)
        try:
            self._connection.send(*opening.lines())
            self.hello: Hello = self._receive_hello()
            """What the daemon says of itself and of the stream."""
        except BaseException:
            self._connection.close()
            raise
        self._connection.wait_forever()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _receive_hello(self) -> Hello:
        while True:
            line = self._connection.receive(self._opening.timeout)
            if line is None:
                raise silent(self._address)
            message = self._opening.message(line)
            if message is not None and message["type"] == "hello":
                self._messages.put(message)
                return message

    def _read(self) -> None:
        try:
            while not self._over:
                line = self._connection.receive(_LOOK_S)
                message = None if line is None else self._opening.message(line)
                if message is None:
                    continue
                self._messages.put(message)
                if message["type"] == "bye":
                    self._failure = UnreachableError(
                        f"{self._address} ended the stream: {message['reason']}"
                    )
                    break
        except SerStreamError as error:
            self._failure = error
            if not self._over:
                self._messages.put(error)
        self._messages.put(None)
        # Whoever writes to a daemon that takes no more is told so.
        self._connection.wake()

    def write(self, samples: Any) -> None:
        """Send the next samples; waits while the daemon takes no more.

        Args:
            samples: bytes in the encoding that was announced, cut as you like; or a
                numpy array of `s16` or `f32`, shape (n,) or (n, channels): floats from
                -1 to 1, or int16.

        Raises:
            UnreachableError: if the daemon has ended the stream, or is gone.
            RefusedError: if it did not take the audio; says why.
            ConfigError: if the array is none that can be sent.
        """
        if self._ended:
            raise ended()
        data = self._opening.sample_bytes(samples)
        if self._failure is not None:
            raise self._failure
        try:
            self._connection.send_audio(data)
        except UnreachableError as error:
            # Why, the daemon may have said.
            self._reader.join(TIMEOUT)
            failure: SerStreamError | None = self._failure
            raise failure or error from None

    def end(self) -> None:
        """No more audio comes; `events` goes on to the last."""
        if not self._ended:
            self._ended = True
            self._connection.end_audio()

    def events(self, timeout: float | None = None) -> Iterator[Message]:
        """What the daemon says, in order, `bye` the last.

        Args:
            timeout: seconds to wait for the next message; None for as long as it takes.
                With 0 it gives what has come, and waits for nothing.

        Raises:
            UnreachableError: if the connection is lost before `bye`.
            RefusedError: if the audio was not taken; says why.
        """
        while True:
            try:
                message = self._messages.get(timeout != 0, timeout or None)
            except Empty:
                return
            if message is None:
                self._messages.put(None)
                return
            if isinstance(message, SerStreamError):
                raise message
            yield message

    def close(self) -> None:
        """Leave, whatever is still to be told."""
        self._over = self._ended = True
        self._connection.wake()
        self._reader.join()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def send(uri: str, **options: Unpack[SendOptions]) -> SentStream:
    """Open a stream at a `ser-stream serve`.

        with send("ws://127.0.0.1:8770", rate=48000) as stream:
            stream.write(samples)
            stream.end()
            for event in stream.events():
                if event["type"] == "emotion":
                    print(event["phase"], event["label"])

    Live audio is written as it is spoken. A recording may be written at once: the
    daemon takes what it can, and `write` waits for it.

    Args:
        uri: `ws://HOST:PORT`, `tcp://HOST:PORT` or `unix:///PATH`; or
            `nats://HOST/PREFIX`, for one of many behind a NATS server: audio is then
            sent as it is spoken, and `hello` comes again when another has taken over.
        options: see `SendOptions`.

    Raises:
        RefusedError: if the daemon does not take such a stream; says what is allowed.
        AccessError: if it refuses the token, or there is no permission.
        UnreachableError: if nothing listens there, or too many send already.
        ConfigError: if the address is none.
        MissingLibraryError: if a `ws://` address needs the extra `ws`.
    """
    opening = Opening(uri, options)
    if opening.address.kind in NATS:
        from ser_stream.client.by_nats import NatsStream

        return NatsStream(opening)
    return SentStream(opening)
