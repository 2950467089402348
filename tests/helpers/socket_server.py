"""A real server on real sockets, and simple subscribers that read it line by line."""

import contextlib
import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ser_stream.pipeline.values import AudioState
from ser_stream.protocol.address import Address, parse
from ser_stream.protocol.messages import Message, snapshot
from ser_stream.sinks import SinkOptions, forms
from ser_stream.sinks.sockets.server import SocketServer

LABELS = ["angry", "fear", "happy", "neutral", "sad"]
T0 = "2026-01-01T00:00:00.000Z"
TIMEOUT = 120.0


def hello() -> Message:
    return Message(
        {
            "type": "hello",
            "protocol": 1,
            "version": "0.0.0",
            "stream": "00000000-0000-0000-0000-000000000000",
            "t0": T0,
            "model": {
                "name": "test",
                "sha256": "0" * 64,
                "labels": LABELS,
                "licence": "MIT",
                "adapted": False,
            },
            "audio": {
                "source": "file",
                "device": "test.wav",
                "device_rate": 16000,
                "sample_rate": 16000,
                "step_ms": 200,
                "window_ms": 2912.5,
            },
        }
    )


def prediction(seq: int) -> Message:
    return Message(
        {
            "type": "prediction",
            "seq": seq,
            "start_ms": 0,
            "end_ms": 512.5 + 200 * seq,
            "time": T0,
            "state": "speech",
            "label": "angry",
            "confidence": 0.8,
            "scores": dict.fromkeys(LABELS, 0.05) | {"angry": 0.8},
            "familiarity": 0.834,
            "level_dbfs": -23.1,
            "peak_dbfs": -8.4,
            "latency_ms": 3.9,
        }
    )


def emotion(seq: int, phase: str = "update", label: str = "angry") -> Message:
    return Message(
        {
            "type": "emotion",
            "seq": seq,
            "phase": phase,
            "id": 7,
            "label": label,
            "start_ms": 100,
            "end_ms": 512.5 + 200 * seq,
            "time": T0,
            "confidence": 0.74,
        }
    )


def status(seq: int, state: str = "lost") -> Message:
    return Message(
        {
            "type": "status",
            "seq": seq,
            "what": "audio",
            "state": state,
            "detail": "the microphone is gone",
            "time": T0,
        }
    )


def begin(server: SocketServer) -> None:
    """What the daemon says first; before it, subscribers wait."""
    server.send(hello())
    server.send(snapshot(0, "no_speech", None, AudioState.HEALTHY))


@contextlib.contextmanager
def serving(
    *uris: str, begun: bool = True, token: str | None = None, **options: Any
) -> Iterator[SocketServer]:
    """A server that listens on `uris` and has sent hello."""
    server = SocketServer(SinkOptions(token=lambda: token, **options))
    try:
        server.open([parse(uri, forms()) for uri in uris])
        if begun:
            begin(server)
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def socket_folder() -> Iterator[Path]:
    """Not pytest's folder: a socket's path has to be short."""
    with tempfile.TemporaryDirectory(prefix="hub") as folder:
        yield Path(folder)


def connect(address: Address) -> socket.socket:
    """A blocking connection to a unix, TCP or WebSocket address."""
    unix = address.kind == "unix"
    result = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    # What is not read shows soon; the system would take megabytes for us.
    result.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    result.settimeout(TIMEOUT)
    result.connect(address.path if unix else (address.host, address.port))
    return result


@dataclass
class Listener:
    """A subscriber that reads when told to."""

    address: Address
    connection: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.connection = connect(self.address)
        self._lines = self.connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self.connection.close()

    def say(self, *messages: dict[str, Any] | bytes) -> None:
        """Send messages, or bytes as they are."""
        for message in messages:
            if isinstance(message, bytes):
                self.connection.sendall(message)
            else:
                self.connection.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> dict[str, Any]:
        """The next message; fails at the end."""
        line = self._lines.readline()
        assert line.endswith(b"\n"), f"the connection ended: {line!r}"
        message: dict[str, Any] = json.loads(line)
        return message

    def read_many(self, count: int) -> list[dict[str, Any]]:
        return [self.read() for _ in range(count)]

    def rest(self) -> list[dict[str, Any]]:
        """All messages until the connection ends."""
        return [json.loads(line) for line in self._lines]

    def greeted(self) -> Self:
        """After `hello` and `snapshot`."""
        assert [m["type"] for m in self.read_many(2)] == ["hello", "snapshot"]
        return self


def wait_until(condition: Callable[[], object], timeout: float = TIMEOUT) -> None:
    """Look every few milliseconds; fails when it lasts too long."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)
