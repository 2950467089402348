"""A reverse proxy that serves a daemon under a path; it may lie."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Change = Callable[[bytes], bytes]


@dataclass
class Proxy:
    """Where it listens, and what went through it."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    """Their first lines and headers, as browsers sent them."""

    def url(self, path: str) -> str:
        return f"http://localhost:{self.port}{path}"


def free_port() -> int:
    """One that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def subpath_proxy(
    daemon: int,
    prefix: str,
    *,
    listen: int = 0,
    request: Change = lambda head: head,
    answer: Change = lambda data: data,
) -> Iterator[Proxy]:
    """Take `prefix` from each path, and hand the rest to the port of a daemon.

    Args:
        daemon: its port, on localhost.
        prefix: as `/mood`; other paths are not found.
        listen: its own port; 0 lets the system choose.
        request: changes the head of each request.
        answer: changes each whole answer to a request that opens no WebSocket.
    """
    with socket.create_server(("127.0.0.1", listen)) as listening:
        proxy = Proxy(listening.getsockname()[1])

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    start(_carry, client)

        def _carry(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                head = _head(client)
                proxy.requests.append(head)
                path = head.split(b" ", 2)[1].decode()
                if not path.startswith(f"{prefix}/"):
                    client.sendall(
                        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                    )
                    return
                inside = head.replace(path.encode(), path[len(prefix) :].encode(), 1)
                with socket.create_connection(("localhost", daemon)) as behind:
                    behind.sendall(request(inside))
                    if re.search(rb"(?i)\r\nupgrade:", head):
                        start(_pipe, behind, client)
                        _pipe(client, behind)
                    else:
                        client.sendall(answer(_everything(behind)))

        def start(work: Callable[..., None], *arguments: socket.socket) -> None:
            threading.Thread(target=work, args=arguments, daemon=True).start()

        start(serve)
        yield proxy
        listening.shutdown(socket.SHUT_RDWR)


def _head(client: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(65536)
        if not data:
            raise ConnectionError
        head += data
    return head


def _everything(behind: socket.socket) -> bytes:
    answer = b""
    while data := behind.recv(65536):
        answer += data
    return answer


def _pipe(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
