"""TCP sockets that listen, for unguarded lines and for WebSockets."""

import errno
import socket

from ser_stream.errors import SinkError
from ser_stream.protocol.address import Address

LOOPBACK_HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
Place = tuple[int, tuple[str, int]]
"""Family; number, port, and for IPv6 perhaps more."""


def open_tcp(address: Address) -> list[socket.socket]:
    """Listen on every number that the host stands for, all at one port.

    Raises:
        SinkError: if that is not possible; the message names what to do.
    """
    sockets: list[socket.socket] = []
    refusal: OSError | None = None
    port = address.port
    try:
        for family, place in resolve(address):
            try:
                sockets.append(_bind_tcp(family, (place[0], port, *place[2:])))
            except OSError as error:
                # Such as ::1 where IPv6 is off: one of two is enough.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                refusal = error
            else:
                # The second family has to get the port that the first one got.
                port = sockets[-1].getsockname()[1]
        if not sockets and refusal is not None:
            raise refusal
    except OSError as error:
        for listening in sockets:
            listening.close()
        raise SinkError(_tcp_text(address, error)) from None
    return sockets


def resolve(address: Address) -> list[Place]:
    """Families and places of a host.

    Raises:
        SinkError: if it does not resolve.
    """
    if address.host == "localhost":
        # Whatever /etc/hosts says: clients try one family first, then the other.
        return [
            (family, (host, address.port)) for family, host in LOOPBACK_HOSTS.items()
        ]
    try:
        found = socket.getaddrinfo(
            address.host,
            address.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (OSError, UnicodeError) as error:
        raise SinkError(
            f"{address}: the host {address.host} is not known ({error}); use a number "
            "such as 127.0.0.1, or a name of this machine"
        ) from None
    places = {(family, place): None for family, _, _, _, place in found}
    return list(places)  # type: ignore[arg-type]  # only families of IP come here


def _bind_tcp(family: int, place: tuple[str, int]) -> socket.socket:
    result = socket.socket(family, socket.SOCK_STREAM)
    try:
        result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # The IPv4 side has a socket of its own.
            result.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        result.bind(place)
        result.listen(socket.SOMAXCONN)
    except OSError:
        result.close()
        raise
    return result


def _tcp_text(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"{address}: port {address.port} is in use; choose another, or 0 for any "
            f"that is free (`ss -ltnp` tells which program has it)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"{address}: {address.host} is no address of this machine; use one of its "
            "own, or 127.0.0.1 for programs on this machine"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{address}: {error.strerror}; use a port from 1024 on"
    return f"{address}: {error.strerror}"
