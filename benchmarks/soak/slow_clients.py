"""Subscribers of the load generator that never read, or a line a second.

They have no part in the event loop: plain sockets that are looked at once a second.
"""

import contextlib
import select
import socket
import time
from urllib.parse import urlsplit

from ser_stream.client.lines import decode

CONNECT_S = 30.0
BUFFER = 4096
"""Bytes that the kernel may keep for us; the daemon is to feel that we do not read."""
LONGEST = 16 * 1024
"""Bytes of a line."""
_LOST = select.POLLHUP | select.POLLERR | select.POLLRDHUP


def connect(address: str, buffer: int | None = None) -> socket.socket:
    """A connected socket: `unix://PATH` or `tcp://HOST:PORT`."""
    url = urlsplit(address)
    unix = url.scheme == "unix"
    sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    if buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.settimeout(CONNECT_S)
    try:
        sock.connect(url.path if unix else (url.hostname or "", url.port or 0))
    except OSError:
        sock.close()
        raise
    return sock


class NonReadingClient:
    """Connects and never reads; comes back when it was thrown out."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = connect(address, BUFFER)
        self.thrown_out = 0

    def tick(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP)
        if any(event & _LOST for _, event in poll.poll(0)):
            self.thrown_out += 1
            self.close()
            self._socket = connect(self._address, BUFFER)

    def close(self) -> None:
        self._socket.close()


class SlowClient:
    """Reads a line a second, and keeps account of what it did not get."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._open()
        self.thrown_out = 0
        self.wrong = 0
        """Connections in which events came out of order, or fewer were said to be
        dropped than are missing, or more."""
        self.dropped = 0
        """Events that were said to be dropped."""
        self.lines = 0

    def _open(self) -> None:
        self._socket = connect(self._address, BUFFER)
        self._first = self._last = self._got = self._told = self._told_to = 0
        self._disorder = False
        self._rest = b""

    def tick(self) -> None:
        """Once a second: one line, and not a byte of the next."""
        self._socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            try:
                size = self._socket.recv(LONGEST, socket.MSG_PEEK).find(b"\n") + 1
                # Half a line that fills the buffer has to be taken, too.
                data = self._socket.recv(size or BUFFER // 4)
            except ConnectionError:
                data = b""
            if data:
                self._take(data)
            else:
                self._was_thrown_out()

    def _was_thrown_out(self) -> None:
        self.thrown_out += 1
        self._settle()
        self.close()
        self._open()

    def drain(self, last: int, seconds: float) -> None:
        """Read all there is, until the event `last` or for so long."""
        deadline = time.monotonic() + seconds
        self._socket.settimeout(0.2)
        # What was dropped may have been told of before what was kept in between.
        while self._last < max(last, self._told_to) and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                data = self._socket.recv(1 << 16)
                if not data:
                    break
                self._take(data)
        self._settle()

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for text in lines:
            fields = decode(text)
            self.lines += 1
            if fields["type"] == "dropped":
                self._told += fields["count"]
                self._told_to = max(self._told_to, fields["to_seq"])
            elif "seq" in fields:
                self._disorder |= fields["seq"] <= self._last
                self._first = self._first or fields["seq"]
                self._last = fields["seq"]
                self._got += 1

    def _settle(self) -> None:
        span = self._last - self._first + 1 if self._first else 0
        self.wrong += self._disorder or span - self._got != self._told
        self.dropped += self._told

    def close(self) -> None:
        self._socket.close()
