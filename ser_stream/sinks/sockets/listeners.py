"""Sockets that listen: opened for an address, or inherited from systemd."""

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from ser_stream.errors import SinkError
from ser_stream.protocol.address import WYOMING, Address
from ser_stream.sinks.sockets.tcp_socket import open_tcp, resolve
from ser_stream.sinks.sockets.unix_socket import UnixClaim


@dataclass
class Listener:
    """The listening sockets of one address; `localhost` may have two."""

    address: Address
    """With the port that the system chose."""
    sockets: list[socket.socket] = field(default_factory=list)
    claim: UnixClaim | None = None
    """None for an inherited socket, whose file is not ours to take away."""

    def close(self) -> None:
        """Stop listening; take the socket's file away."""
        for listening in self.sockets:
            listening.close()
        if self.claim is not None:
            self.claim.release()


def open_listeners(
    addresses: Sequence[Address],
    inherited: Sequence[socket.socket],
    *,
    guarded: bool,
    trusted: bool = False,
) -> list[Listener]:
    """Open all of them, or none.

    An address that an inherited socket has is served by that one. Inherited sockets
    that no address names are served as well, as what they are.

    Args:
        addresses: without `stdout:`.
        inherited: listening already; they belong to the listeners from now on.
        guarded: whether subscribers need a token; without one, only addresses that no
            other machine reaches are opened.
        trusted: likewise, for Wyoming, which knows no token.

    Raises:
        SinkError: if one cannot be opened; the message names what to do.
    """
    listeners: list[Listener] = []
    left = list(inherited)
    with ExitStack() as stack:
        for listening in inherited:
            stack.callback(listening.close)

        def add(listener: Listener) -> None:
            stack.callback(listener.close)
            _check_reach(listener, guarded=guarded, trusted=trusted)
            listeners.append(listener)

        for address in addresses:
            found = [s for s in left if _serves(s, address)]
            left = [s for s in left if s not in found]
            add(_listener(address, found) if found else _open_listener(address))
        for listening in left:
            add(_listener(_address_of(listening), [listening]))
        stack.pop_all()
    return listeners


def _open_listener(address: Address) -> Listener:
    if address.kind == "unix":
        claim = UnixClaim(address.path)
        return Listener(address, [claim.socket], claim)
    return _listener(address, open_tcp(address))


def _listener(address: Address, sockets: list[socket.socket]) -> Listener:
    if address.kind != "unix":
        port = sockets[0].getsockname()[1]
        address = Address(address.kind, host=address.host, port=port)
    return Listener(address, sockets)


def _check_reach(listener: Listener, *, guarded: bool, trusted: bool) -> None:
    knows_no_token = listener.address.kind in WYOMING
    if listener.address.kind == "unix" or (trusted if knows_no_token else guarded):
        return
    for listening in listener.sockets:
        # Without the zone of a link-local address.
        host = str(listening.getsockname()[0]).partition("%")[0]
        if not ipaddress.ip_address(host).is_loopback:
            if knows_no_token:
                raise SinkError(
                    f"{listener.address} can be reached from other machines, and "
                    "Wyoming knows no token; listen on 127.0.0.1, or add "
                    "--trust-network if whoever reaches it may"
                )
            raise SinkError(
                f"{listener.address} can be reached from other machines, so "
                "subscribers need a token: set SER_STREAM_TOKEN or token_file, or "
                "listen on 127.0.0.1"
            )


# Inherited sockets.


def _address_of(listening: socket.socket) -> Address:
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        if isinstance(name, bytes):
            shown = name.decode(errors="replace").replace("\0", "@")
            raise SinkError(
                f"the inherited socket {shown} is no file, so that nothing decides who "
                "may use it; ListenStream= needs a path, such as "
                "%t/ser-stream/ser-stream.sock"
            )
        return Address("unix", path=name)
    return Address("tcp", host=name[0], port=name[1])


def _serves(listening: socket.socket, address: Address) -> bool:
    if (listening.family == socket.AF_UNIX) is not (address.kind == "unix"):
        return False
    name = listening.getsockname()
    if address.kind == "unix":
        return bool(name == address.path)
    if name[1] != address.port:
        return False
    return any(place[0] == name[0] for _, place in resolve(address))
