"""Sockets that listen: whose they are, who may use them, and what is said if not."""

import contextlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ser_stream.errors import SinkError
from ser_stream.protocol.address import parse
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.socket_server import Listener, begin, serving, socket_folder

HOLDER = """
import sys
from tests.helpers.socket_server import serving
with serving(f"unix://{sys.argv[1]}"):
    print("listening", flush=True)
    sys.stdin.read()
"""
RACER = """
import sys
from ser_stream.errors import SinkError
from ser_stream.protocol.address import parse
from ser_stream.sinks.sockets.server import SocketServer
server = SocketServer()
sys.stdin.readline()
try:
    server.open([parse(f"unix://{sys.argv[1]}")])
    print("listening", flush=True)
    sys.stdin.readline()
except SinkError as error:
    print(error, flush=True)
finally:
    server.close()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with socket_folder() as folder:
        yield folder


def python(code: str, *arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def refused(*uris: str, **options: Any) -> str:
    """What is said when these addresses are opened; a line."""
    with pytest.raises(SinkError) as caught, serving(*uris, **options):
        pass
    text = str(caught.value)
    assert "\n" not in text
    return text


# Unix sockets.


def test_only_the_owner_may_use_the_socket_and_its_new_folder(folder: Path) -> None:
    path = folder / "new" / "s.sock"
    before = os.umask(0)
    try:
        with serving(f"unix://{path}"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_is_there_stays_as_it_is(folder: Path) -> None:
    folder.chmod(0o755)
    with serving(f"unix://{folder}/s"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_stale_socket_is_replaced(folder: Path) -> None:
    path = folder / "s"
    with python(HOLDER, path) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "listening\n"
        daemon.kill()
    assert path.is_socket()
    with serving(f"unix://{path}") as server, Listener(server.addresses[0]) as listener:
        listener.greeted()


def test_a_living_daemon_is_left_alone(folder: Path) -> None:
    with serving(f"unix://{folder}/s") as server:
        said = refused(f"unix://{folder}/s")
        assert said.startswith(f"another daemon listens on {folder}/s; stop it, or")
        with Listener(server.addresses[0]) as listener:
            listener.greeted()


def test_a_living_program_that_is_not_ours_is_left_alone(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / "s"))
        other.listen()
        assert "another daemon listens on" in refused(f"unix://{folder}/s")
    # Nothing of ours stays behind.
    assert [path.name for path in folder.iterdir()] == ["s"]


def test_of_many_that_start_at_once_one_listens(folder: Path) -> None:
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with contextlib.ExitStack() as stack:
        racers = [stack.enter_context(python(RACER, path)) for _ in range(4)]
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("\n")
            racer.stdin.flush()
        said = [racer.stdout.readline() for racer in racers if racer.stdout]
        assert said.count("listening\n") == 1
        assert sum("another daemon listens" in line for line in said) == 3
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
        for racer in racers:
            racer.communicate("\n", timeout=120)
    assert list(folder.iterdir()) == []


def test_the_lock_is_never_held_twice_while_others_come_and_go(folder: Path) -> None:
    holding, most = [], []

    def come_and_go(_number: int) -> None:
        for _ in range(40):
            server = SocketServer()
            with contextlib.suppress(SinkError):
                server.open([parse(f"unix://{folder}/s")])
                holding.append(server)
                most.append(len(holding))
                holding.remove(server)
            server.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(come_and_go, range(4)))) == 4
    assert set(most) == {1}


def test_a_file_that_is_no_socket_is_left_alone(folder: Path) -> None:
    (folder / "s").write_text("precious")
    # It is seen before a lock is tried.
    (folder / ".s.lock").write_text("no lock")
    assert "is no socket; move it away" in refused(f"unix://{folder}/s")
    assert (folder / "s").read_text() == "precious"


def test_files_of_others_beside_the_socket_are_left_alone(folder: Path) -> None:
    mine = folder / "s.lock"
    mine.touch()
    with serving(f"unix://{folder}/s"):
        lock = folder / ".s.lock"
        assert lock.exists()
        lock.write_text("precious")
    assert sorted(folder.iterdir()) == [lock, mine]
    said = refused(f"unix://{folder}/s")
    assert said.startswith(f"{lock} is there and is no lock of ours; move it away")
    assert lock.read_text() == "precious"
    lock.unlink()
    os.mkfifo(lock)
    assert "is no lock of ours" in refused(f"unix://{folder}/s")
    assert lock.is_fifo()


def test_a_folder_that_cannot_be_is_refused(folder: Path) -> None:
    (folder / "file").write_text("")
    assert "cannot listen on" in refused(f"unix://{folder}/file/s")
    assert "choose a path in a folder that you may write to" in refused(
        "unix:///proc/s"
    )


def test_a_socket_that_is_not_ours_any_more_stays(folder: Path) -> None:
    path = folder / "s"
    with serving(f"unix://{path}"):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.is_socket()


# TCP.


def test_localhost_listens_in_both_families() -> None:
    hosts = ["127.0.0.1"]
    with contextlib.suppress(OSError):
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        hosts.append("::1")
    with serving("tcp://localhost:0") as server:
        port = server.addresses[0].port
        assert port
        for host in hosts:
            with socket.create_connection((host, port), 5) as connection:
                assert connection.recv(8) == b'{"type":'


def test_a_port_in_use_is_said() -> None:
    with serving("tcp://127.0.0.1:0") as server:
        port = server.addresses[0].port
        said = refused(f"tcp://127.0.0.1:{port}")
    assert said.startswith(f"tcp://127.0.0.1:{port}: port {port} is in use; choose")


def test_a_port_can_be_used_again_at_once() -> None:
    with serving("tcp://127.0.0.1:0") as server:
        address = server.addresses[0]
        with Listener(address) as listener:
            listener.greeted()
            server.close()
    with serving(str(address)):
        pass


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("tcp://no.such.host.invalid:0", "the host no.such.host.invalid is not known"),
        ("ws://192.0.2.1:0", "192.0.2.1 is no address of this machine; use one"),
    ],
)
def test_a_host_that_is_not_here_is_said(uri: str, says: str) -> None:
    assert says in refused(uri, token="secret")


@pytest.mark.parametrize("uri", ["tcp://0.0.0.0:0", "ws://[::]:0"])
def test_what_others_reach_needs_a_token(uri: str) -> None:
    said = refused(uri)
    assert "can be reached from other machines" in said
    assert "SER_STREAM_TOKEN" in said
    with serving(uri, token="secret"):
        pass


def test_nothing_is_open_when_one_address_cannot_be(folder: Path) -> None:
    with serving("tcp://127.0.0.1:0") as server:
        refused(f"unix://{folder}/s", str(server.addresses[0]))
    assert list(folder.iterdir()) == []


# Inherited from systemd.


def test_inherited_sockets_serve_their_addresses_and_stay(folder: Path) -> None:
    path = folder / "s"
    with contextlib.ExitStack() as stack:
        sockets = [
            socket.socket(socket.AF_UNIX),
            socket.create_server(("127.0.0.1", 0)),
            socket.create_server(("127.0.0.1", 0)),
        ]
        sockets[0].bind(str(path))
        sockets[0].listen()
        tcp, ws = (inherited.getsockname()[1] for inherited in sockets[1:])
        server = SocketServer()
        stack.callback(server.close)
        # The TCP one is served though no address names it.
        server.open([parse(f"ws://localhost:{ws}"), parse(f"unix://{path}")], sockets)
        begin(server)
        assert set(map(str, server.addresses)) == {
            f"ws://localhost:{ws}",
            f"unix://{path}",
            f"tcp://127.0.0.1:{tcp}",
        }
        for address in server.addresses:
            if address.kind != "ws":
                with Listener(address) as listener:
                    listener.greeted()
    # It belongs to systemd, which goes on listening.
    assert path.is_socket()


def test_an_inherited_socket_that_others_reach_needs_a_token() -> None:
    server = SocketServer()
    with pytest.raises(SinkError, match="can be reached from other machines"):
        server.open([], [socket.create_server(("0.0.0.0", 0))])
    server.close()


def test_an_inherited_socket_without_a_file_is_refused() -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"\0ser-stream-test-{os.getpid()}")
    listening.listen()
    server = SocketServer()
    with pytest.raises(SinkError, match=r"@ser-stream-test-.* ListenStream= needs"):
        server.open([parse("unix:///run/never")], [listening])
    server.close()
