"""What is asked of the system for a subscriber's connection."""

import array
import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios

ACCEPT_AT_ONCE = 1
"""Connections between two looks at the others. asyncio tries so often even when no
descriptor is left, and sets a timer for each failure: with thousands it drowns."""
SEND_BUFFER = 32 * 1024
"""Bytes that the system may hold for one subscriber; by itself it takes megabytes."""
RECEIVE_BUFFER = 128 * 1024
"""Bytes of audio; by itself the system takes megabytes, which are minutes."""
KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds, and how often: when a machine that fell silent counts as gone."""


def set_options(transport: asyncio.Transport) -> None:
    """Keep little for a slow subscriber, and notice one whose machine is gone."""
    connection: socket.socket = transport.get_extra_info("socket")
    # It may have gone again already.
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if connection.family == socket.AF_UNIX:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def hold_little(transport: asyncio.Transport) -> None:
    """Have the system take little audio ahead of us: what lies there is late."""
    connection: socket.socket = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def is_operator(transport: asyncio.Transport) -> bool:
    """Whether a client of a Unix socket is a program of our own user, or of root.

    An inherited socket may let others in, too.
    """
    connection: socket.socket = transport.get_extra_info("socket")
    if connection.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return False
    ids = struct.Struct("3i")
    try:
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, ids.size)
    except OSError:
        return False
    _process, user, _group = ids.unpack(found)
    return user in (0, os.geteuid())


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Bytes that the other side has not taken yet, as far as the system knows."""
    connection: socket.socket = transport.get_extra_info("socket")
    count = array.array("i", [0])
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, count)
    return count[0] + transport.get_write_buffer_size()
