"""One connection to a daemon, for programs that block."""

import contextlib
import errno
import socket
from typing import Self

from ser_stream.client.errors import AccessError, UnreachableError
from ser_stream.client.framing import LineConnection
from ser_stream.protocol.address import Address

READ_SIZE = 4096
"""Bytes, of few lines: while those read ahead are used, the daemon sees no progress."""


def unreachable(address: Address, error: OSError) -> AccessError | UnreachableError:
    if isinstance(error, PermissionError):
        return AccessError(
            f"no permission for {address}: it belongs to another user", "forbidden"
        )
    if isinstance(error, TimeoutError):
        return UnreachableError(f"{address} does not answer")
    if address.kind == "unix" and error.errno in (errno.ENOENT, errno.ECONNREFUSED):
        return UnreachableError(
            f"nothing listens on {address}; is `ser-stream listen --to {address}` "
            "running?"
        )
    return UnreachableError(f"cannot connect to {address}: {error.strerror or error}")


def lost(address: Address, error: OSError) -> UnreachableError:
    return UnreachableError(f"{address} is lost: {error.strerror or error}")


class Connection:
    def __init__(self, address: Address, timeout: float) -> None:
        """Connect within `timeout` seconds.

        Raises:
            UnreachableError: if nothing listens there.
            AccessError: if that is not permitted.
            MissingLibraryError: if a WebSocket needs a library that is not there.
        """
        self._address = address
        self._wire = LineConnection(address)
        try:
            self._socket = _open(address, timeout)
        except OSError as error:
            raise unreachable(address, error) from None

    def send(self, *lines: bytes) -> None:
        """Send lines, given without their ends.

        Where the connection is lost, `receive` tells; it may first have a line that
        says why.
        """
        with contextlib.suppress(OSError):
            self._socket.sendall(self._wire.outgoing(*lines))

    def receive(self, timeout: float) -> bytes | None:
        """The next line without its end; None if nothing came for so many seconds.

        Raises:
            UnreachableError: if the connection is lost.
            ProtocolError: if it is no connection to a daemon.
        """
        try:
            while not self._wire.lines:
                self._socket.settimeout(timeout)
                self._wire.take(self._socket.recv(READ_SIZE))
                self.send()
        except TimeoutError:
            return None
        except OSError as error:
            raise lost(self._address, error) from None
        return self._wire.lines.popleft()

    def wake(self) -> None:
        """Have a `receive` that waits in another thread fail at once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(address: Address, timeout: float) -> socket.socket:
    if address.kind != "unix":
        return socket.create_connection((address.host, address.port), timeout)
    result = socket.socket(socket.AF_UNIX)
    try:
        result.settimeout(timeout)
        result.connect(address.path)
    except BaseException:
        result.close()
        raise
    return result
