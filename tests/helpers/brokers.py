"""Real brokers, in folders of their own, that can be stopped and started again."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.helpers.socket_server import wait_until

USER, PASSWORD = "desk", "not-so-secret"
TIMEOUT_S = 30.0


def server_path(name: str) -> str | None:
    # Debian has it where only administrators look.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _needs(name: str) -> pytest.MarkDecorator:
    """Skips a test where there is none; where all is required, as in CI, it fails."""
    required = os.environ.get("SER_STREAM_REQUIRE_MICROPHONE") == "1"
    return pytest.mark.skipif(
        server_path(name) is None and not required, reason=f"needs {name}"
    )


needs_mosquitto = _needs("mosquitto")
needs_nats = _needs("nats-server")


def free_port() -> int:
    """A port of this machine that nobody has now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Broker:
    """A program that serves a port, perhaps others too."""

    command: list[str]
    folder: Path
    port: int
    secure_port: int = 0
    """Where it wants TLS, `USER` and `PASSWORD`."""
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    def start(self) -> float:
        """Start it, wait until it serves; monotonic seconds when it was started."""
        begin = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait_until(self._serves, TIMEOUT_S)
        return begin

    def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(TIMEOUT_S)
            self.process = None


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[Broker]:
    """It remembers what it retains, and for a second less when it is killed.

    Nobody may publish below `closed/`, nor to `part/status`.
    """
    program = server_path("mosquitto")
    assert program is not None
    broker = Broker(
        [program, "-c", str(folder / "mosquitto.conf")],
        folder,
        free_port(),
        free_port(),
    )
    _certificates(folder)
    (folder / "users").touch(mode=0o600)
    subprocess.run(
        ["mosquitto_passwd", "-b", str(folder / "users"), USER, PASSWORD],
        check=True,
        capture_output=True,
    )
    (folder / "acl").write_text(
        "topic readwrite #\ntopic deny closed/#\ntopic deny part/status\n"
    )
    (folder / "acl").chmod(0o600)
    # It leaves the rights of root, and is then to read its files.
    (folder / "mosquitto.conf").write_text(
        f"user root\nper_listener_settings true\nlog_dest stderr\n"
        f"persistence true\npersistence_location {folder}/\nautosave_interval 1\n"
        f"autosave_on_changes true\n"
        f"listener {broker.port} 127.0.0.1\nallow_anonymous true\n"
        f"acl_file {folder}/acl\n"
        f"listener {broker.secure_port} 127.0.0.1\nallow_anonymous false\n"
        f"password_file {folder}/users\n"
        f"certfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
    )
    with _running(broker):
        yield broker


@contextlib.contextmanager
def nats_server(folder: Path) -> Iterator[Broker]:
    """Without TLS, users and store; its log has all that it is told."""
    program = server_path("nats-server")
    assert program is not None
    port = free_port()
    command = [program, "-V", "-a", "127.0.0.1", "-p", str(port)]
    with _running(Broker(command, folder, port)) as broker:
        yield broker


@contextlib.contextmanager
def secure_nats_server(folder: Path, *, tls: bool = True) -> Iterator[Broker]:
    """With a user, and with TLS.

    The user may not use subjects below `closed`, nor publish to `open.*.status`.
    """
    program = server_path("nats-server")
    assert program is not None
    _certificates(folder)
    port = free_port()
    (folder / "nats.conf").write_text(
        f"authorization {{ users = [{{ user: {USER}, password: '{PASSWORD}',\n"
        'permissions: { publish: { deny: ["closed.>", "open.*.status"] },\n'
        'subscribe: { deny: "closed.>" } } }] }\n'
    )
    command = [program, "-c", str(folder / "nats.conf")]
    command += ["-a", "127.0.0.1", "-p", str(port)]
    if tls:
        command += ["--tls", "--tlscert", str(folder / "server.pem")]
        command += ["--tlskey", str(folder / "server.key")]
    with _running(Broker(command, folder, port, port)) as broker:
        yield broker


@contextlib.contextmanager
def _running(broker: Broker) -> Iterator[Broker]:
    try:
        broker.start()
        yield broker
    finally:
        broker.stop(signal.SIGKILL)


def _certificates(folder: Path) -> None:
    """An authority, and what it says of `localhost`; and the password in a file."""
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(f"{PASSWORD}\n")
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    new += ["ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    authority = ["-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"]
    server = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    server += ["-addext", "basicConstraints=critical,CA:FALSE"]
    server += ["-CA", "ca.pem", "-CAkey", "ca.key"]
    server += ["-keyout", "server.key", "-out", "server.pem"]
    for more in (authority, server):
        subprocess.run([*new, *more], cwd=folder, check=True, capture_output=True)


class Heard(NamedTuple):
    topic: str
    payload: str
    retained: bool
    """Whether the broker had it before the reader came."""
    at: float
    """`time.monotonic` when it came."""

    @property
    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.payload)
        return found


class MqttReader:
    """Keeps all that it is sent; a context manager that leaves.

    After a broker's return it gets what came there before it came back itself.
    """

    def __init__(self, port: int, topics: str = "#") -> None:
        self.heard: list[Heard] = []
        self._changed = threading.Condition()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, str(uuid.uuid4()), protocol=paho.MQTTv5
        )
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(0.05, 0.1)  # type: ignore[arg-type]
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        kept.SessionExpiryInterval = 60
        self._client.connect("127.0.0.1", port, properties=kept)
        self._client.loop_start()
        assert subscribed.wait(TIMEOUT_S)

    def _on_message(self, _client: object, _data: object, m: paho.MQTTMessage) -> None:
        heard = Heard(m.topic, m.payload.decode(), m.retain, time.monotonic())
        with self._changed:
            self.heard.append(heard)
            self._changed.notify_all()

    def wait_for(
        self, wanted: Callable[[Heard], bool], within: float = TIMEOUT_S, after: int = 0
    ) -> Heard:
        """The first such message; fails when none comes."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(map(wanted, self.heard[after:])), within
            ), self.heard
            return next(filter(wanted, self.heard[after:]))

    def wait(self, topic: str, payload: str | None = None) -> Heard:
        """The first message of a topic, with that payload if one is named."""
        return self.wait_for(
            lambda m: m.topic == topic and payload in (None, m.payload)
        )

    @property
    def last(self) -> dict[str, str]:
        """The last payload of each topic."""
        return {heard.topic: heard.payload for heard in list(self.heard)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
