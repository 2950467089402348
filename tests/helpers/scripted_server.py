"""A server that does what a test tells it: what no daemon of ours would do."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.helpers.socket_server import hello

HELLO = hello().line
Script = Callable[[socket.socket], object]
"""What is done with one connection, which is then closed."""


@contextlib.contextmanager
def scripted_server(*scripts: Script, path: Path | None = None) -> Iterator[str]:
    """Serve one connection after the other, each by its script; gives the URI.

    On TCP, or on a Unix socket if there is a `path`. A script that fails makes the
    test fail.
    """
    with contextlib.ExitStack() as stack:
        listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        stack.enter_context(listening)
        listening.bind(str(path) if path else ("127.0.0.1", 0))
        listening.listen()
        failures: list[Exception] = []

        def serve() -> None:
            try:
                for script in scripts:
                    connection, _ = listening.accept()
                    with connection:
                        connection.settimeout(120)
                        script(connection)
            except Exception as error:  # noqa: BLE001  told in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        port = "" if path else listening.getsockname()[1]
        yield f"unix://{path}" if path else f"tcp://127.0.0.1:{port}"
        thread.join(10)
        assert not thread.is_alive(), "a script still runs"
        assert not failures, failures


def says(*parts: bytes) -> Script:
    """Send this, then wait until the other side leaves."""

    def script(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))
        until_left(connection)

    return script


def until_left(connection: socket.socket) -> bytes:
    """What the other side says until it leaves."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(4096):
            heard += data
    return heard
