"""Connections that are cut, as by a crash, and not ended."""

import socket
import struct


def cut_when_closed(connection: socket.socket) -> None:
    """Have closing throw away what is unread and unsent, and reset the connection."""
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
