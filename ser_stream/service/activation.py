"""Sockets that systemd opened before it started us: sd_listen_fds(3)."""

import os
import socket
from collections.abc import MutableMapping

from ser_stream.errors import SinkError

FIRST = 3
"""The first inherited descriptor; those before it are stdin, stdout and stderr."""
_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


def inherited_sockets(
    environment: MutableMapping[str, str] = os.environ,
) -> list[socket.socket]:
    """The listening sockets of a `.socket` unit; none when there was no such unit.

    The variables are removed and the descriptors are closed in children, so that
    no other process takes them for its own. Call it once, early.

    Raises:
        SinkError: if what was handed over is no listening stream socket.
    """
    count, pid, _names = (environment.pop(name, "") for name in _VARIABLES)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found: list[socket.socket] = []
    try:
        for descriptor in range(FIRST, FIRST + int(count)):
            found.append(_listening(descriptor))
    except SinkError:
        for each in found:
            each.close()
        raise
    return found


def _listening(descriptor: int) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        opened = socket.socket(fileno=descriptor)
    except OSError as error:
        raise SinkError(
            f"descriptor {descriptor}, which systemd should have handed over, is no "
            f"socket: {error.strerror}; look at the .socket unit"
        ) from None
    listens = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if opened.type is not socket.SOCK_STREAM or not listens:
        opened.close()
        raise SinkError(
            f"descriptor {descriptor}, handed over by systemd, is no listening stream "
            "socket; the .socket unit needs ListenStream= and Accept=no"
        )
    return opened
