"""`connect`: the messages of a daemon, one after the other."""

import threading
from collections import deque
from collections.abc import Iterable
from typing import Self

from ser_stream.client.connection import Connection
from ser_stream.client.messages import Message
from ser_stream.client.subscription import TIMEOUT, Described, Subscription
from ser_stream.errors import SerStreamError


class Stream(Described):
    """Iterates over messages, and is a context that closes the connection.

    Made by `connect`. One thread iterates; any thread may call `close`, which ends the
    iteration.
    """

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(subscription)
        self._connection: Connection | None = None
        self._closed = threading.Event()
        self._iterating = threading.RLock()
        self._waiting: deque[Message] = deque()
        try:
            # `hello` is waited for, and yet the first message.
            self._waiting.append(next(self))
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        with self._iterating:
            if self._waiting:
                return self._waiting.popleft()
            while not self._closed.is_set():
                try:
                    message = self._receive()
                except SerStreamError as error:
                    self._disconnect()
                    self._wait(error)
                else:
                    if message is not None:
                        return message
            self._disconnect()
        raise StopIteration

    def _receive(self) -> Message | None:
        ours = self._subscription
        timeout = ours.line_timeout()
        if self._connection is None:
            self._connection = Connection(ours.address, ours.timeout)
            self._connection.send(*ours.begin())
            return None  # `close` may have been called meanwhile
        line = self._connection.receive(timeout)
        if line is None:
            self._connection.send(ours.nothing_came())
            return None
        message = ours.receive(line)
        if ours.over:
            # At once: the daemon waits for that.
            self._disconnect()
        return message

    def _wait(self, error: SerStreamError) -> None:
        if self._closed.is_set():
            return
        delay = self._subscription.failed(error)
        if delay is None:
            self._closed.set()
        else:
            self._closed.wait(delay)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Leave the daemon; the iteration ends, in whatever thread it is."""
        self._closed.set()
        # The iterating thread may disconnect between two looks.
        connection = self._connection
        if connection is not None:
            connection.wake()
        # The iterating thread now disconnects.
        if self._iterating.acquire(blocking=False):
            self._waiting.clear()
            self._disconnect()
            self._iterating.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    uri: str | None = None,
    *,
    only: str | Iterable[str] | None = None,
    source: str | Iterable[str] | None = None,
    token: str | None = None,
    reconnect: bool = True,
    timeout: float = TIMEOUT,
    history: float | None = None,
) -> Stream:
    """Subscribe to a daemon.

        with connect() as stream:
            for message in stream:
                if message["type"] == "emotion" and message["phase"] == "start":
                    print(message["label"])

    Every connection begins with `hello` and `snapshot`, also a later one: there the id
    of the stream is another if the daemon was started again. While no daemon is there,
    it waits, at first too.

    Args:
        uri: `unix:///PATH`, `tcp://HOST:PORT` or `ws://HOST:PORT`; None for the socket
            of the user's daemon, or else of the system's.
        only: which events to get, of prediction, emotion, status and adaptation; None
            for all. Messages that are no events always come.
        source: of a daemon that hears several: the names of those to hear of; None for
            all.
        token: for TCP and WebSocket; else `SER_STREAM_TOKEN` of the environment.
        reconnect: whether to connect again when the connection is lost, and to wait for
            a daemon that is not there yet. If not, the iteration ends with `bye`.
        timeout: seconds for one attempt to connect, and then for `hello`.
        history: so many seconds of the past come first, at most 3600, behind a message
            `history`; then what is live, without a hole or a double. After a lost
            connection to the same daemon only what was missed.

    Raises:
        ConfigError: if the address, `only` or `history` is wrong.
        AccessError: if the daemon refuses the token, or there is no permission.
        ProtocolError: if no daemon of protocol 1 listens there.
        RefusedError: if the daemon hears no such source; or is older and keeps no
            history.
        UnreachableError: without `reconnect`, if nothing listens there. While
            iterating, if the connection is lost.
        MissingLibraryError: if a `ws://` address needs the extra `ws`.
    """
    return Stream(
        Subscription(
            uri,
            only=only,
            source=source,
            token=token,
            reconnect=reconnect,
            timeout=timeout,
            history=history,
        )
    )
