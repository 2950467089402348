"""systemd is told how the service is, in the words of sd_notify(3)."""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_stream.service.notify import Notifier


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's: a socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="notify") as name:
        yield Path(name)


@pytest.fixture
def systemd(folder: Path) -> Iterator[socket.socket]:
    """The end that systemd reads."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(folder / "notify"))
        receiver.settimeout(120)
        yield receiver


def notifier(systemd: socket.socket, **variables: str) -> Notifier:
    return Notifier.from_environment(
        {"NOTIFY_SOCKET": systemd.getsockname(), **variables}
    )


def test_the_life_of_a_service_arrives_in_order(systemd: socket.socket) -> None:
    told = notifier(systemd)
    told.ready("hearing USB PnP")
    told.status("audio lost:\n unplugged")
    before = time.monotonic_ns() // 1000
    told.reloading()
    told.ready("hearing again")
    told.watchdog()
    told.stopping()
    said = [systemd.recv(4096).decode() for _ in range(6)]
    reloading, stamp = said.pop(2).splitlines()
    assert said == [
        "READY=1\nSTATUS=hearing USB PnP",
        "STATUS=audio lost: unplugged",
        "READY=1\nSTATUS=hearing again",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]
    assert reloading == "RELOADING=1"
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC="))
    assert int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_a_name_in_the_abstract_namespace_is_reached() -> None:
    name = f"ser-stream-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name)
        receiver.settimeout(120)
        Notifier(f"@{name}").ready("hearing")
        assert receiver.recv(4096) == b"READY=1\nSTATUS=hearing"


def test_the_watchdog_is_fed_twice_as_often_as_systemd_looks(
    systemd: socket.socket,
) -> None:
    own = str(os.getpid())
    told = notifier(systemd, WATCHDOG_USEC="30000000", WATCHDOG_PID=own)
    assert told.watchdog_interval_s == 15
    assert notifier(systemd, WATCHDOG_USEC="500000").watchdog_interval_s == 0.25


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-5"},
    ],
)
def test_no_watchdog_without_systemd_asking_for_it(
    systemd: socket.socket, variables: dict[str, str]
) -> None:
    assert notifier(systemd, **variables).watchdog_interval_s is None


def test_children_inherit_none_of_it(systemd: socket.socket) -> None:
    code = (
        "import os; from ser_stream.service.notify import Notifier\n"
        "n = Notifier.from_environment(); n.ready('hearing')\n"
        "print(n.enabled, [k for k in os.environ if k.startswith(('NOTI', 'WATCH'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "NOTIFY_SOCKET": systemd.getsockname(),
            "WATCHDOG_USEC": "1000000",
            "WATCHDOG_PID": "1",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "True []\n"
    assert systemd.recv(4096) == b"READY=1\nSTATUS=hearing"


def test_outside_of_systemd_nothing_is_sent_and_nothing_fails() -> None:
    for told in (Notifier.from_environment({}), Notifier("vsock:2:1234")):
        assert not told.enabled
        assert told.watchdog_interval_s is None
        told.ready("hearing")
        told.watchdog()
        told.stopping()


def test_a_systemd_that_has_gone_is_noted_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = Notifier(str(folder / "gone"), watchdog_s=1)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            told.watchdog()
    assert [record.getMessage() for record in caplog.records] == [
        "systemd cannot be told WATCHDOG=1: [Errno 2] No such file or directory"
    ]


def test_a_systemd_that_does_not_read_holds_nothing_up_for_long(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_stream.service.notify.SEND_TIMEOUT_S", 0.05)
    told = notifier(systemd)
    begin = time.monotonic()
    # More than any receive queue holds.
    lost = 0
    while lost < 3 and time.monotonic() < begin + 300:
        before = time.monotonic()
        told.watchdog()
        lost += time.monotonic() - before >= 0.05
    assert lost == 3
