"""What systemd is told, as it hears it."""

import socket
import time
from pathlib import Path

import pytest


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.said: list[dict[str, str]] = []

    def hear(self, seconds: float) -> None:
        """Take what comes in so many seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                lines = self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                return
            self.said.append(dict(line.split("=", 1) for line in lines))

    def until(self, name: str, most: float = 120.0) -> dict[str, str]:
        """Read until `name` is sent."""
        deadline = time.monotonic() + most
        n = len(self.said)
        while time.monotonic() < deadline:
            self.hear(0.05)
            for message in self.said[n:]:
                if name in message:
                    return message
        pytest.fail(f"{name} was not said: {self.said}")

    def count(self, name: str) -> int:
        return sum(name in message for message in self.said)

    def close(self) -> None:
        self._socket.close()
