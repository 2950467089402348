"""WebSockets get what every subscriber gets; pages of strangers get nothing."""

import contextlib
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from ser_stream.sinks.sockets import subscriber, subscribers
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.socket_server import (
    Listener,
    emotion,
    prediction,
    serving,
    wait_until,
)


@pytest.fixture
def server() -> Iterator[SocketServer]:
    with serving("ws://localhost:0", "tcp://127.0.0.1:0") as server:
        yield server


@contextlib.contextmanager
def listening(server: SocketServer, **options: Any) -> Iterator[ClientConnection]:
    """A WebSocket that has read hello and snapshot."""
    with connect(str(server.addresses[0]), **options) as connection:
        assert [m["type"] for m in read_many(connection, 2)] == ["hello", "snapshot"]
        yield connection


def read_many(connection: ClientConnection, count: int) -> list[dict[str, Any]]:
    return [json.loads(connection.recv(timeout=120)) for _ in range(count)]


def rest(connection: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """All messages until the connection ends, and the code of the end."""
    messages = []
    try:
        while True:
            messages += read_many(connection, 1)
    except ConnectionClosed as end:
        return messages, None if end.rcvd is None else end.rcvd.code


def test_silent_connections_make_room_for_those_that_shake_hands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscribers, "MAX_STRANGERS", 12)
    with serving("ws://localhost:0") as server, contextlib.ExitStack() as stack:
        address = server.addresses[0]
        silent = [
            stack.enter_context(socket.create_connection((address.host, address.port)))
            for _ in range(10)
        ]
        for connection in silent[:7]:
            connection.settimeout(60)
            # The library itself would wait for ten seconds.
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        for connection in silent[7:]:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)
        with listening(server), listening(server):
            assert server.subscribers["ws"] == 2


def refusal(server: SocketServer, **options: Any) -> int:
    """The status with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as caught, listening(server, **options):
        pass
    if caught.value.response.status_code == 403:
        assert b"--allow-origin" in caught.value.response.body
    return caught.value.response.status_code


def test_a_websocket_gets_all_events_in_order_and_can_ask(server: SocketServer) -> None:
    with listening(server) as connection:
        assert server.subscribers == {"tcp": 0, "ws": 1}
        for seq in range(1, 301):
            server.send(prediction(seq))
        heard = read_many(connection, 300)
        assert [message["seq"] for message in heard] == list(range(1, 301))
        connection.send('{"type":"subscribe","only":["emotion"]}')
        connection.send(b'{"type":"ping","id":1}')
        assert read_many(connection, 1) == [{"type": "pong", "id": 1}]
        server.send(prediction(301))
        server.send(emotion(302))
        assert read_many(connection, 1)[0]["seq"] == 302
        connection.send('{"type":"control","id":2,"do":"pause"}')
        assert read_many(connection, 1)[0]["error"]["code"] == "forbidden"
        server.close()
        assert rest(connection) == ([{"type": "bye", "reason": "shutdown"}], 1000)


@contextlib.contextmanager
def never_reading(server: SocketServer) -> Iterator[Listener]:
    """A WebSocket by hand; no library reads behind our back."""
    with Listener(server.addresses[0]) as listener:
        listener.say(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        wait_until(lambda: server.subscribers["ws"])
        yield listener


def test_one_that_never_reads_is_cut_off_and_no_other_notices(
    server: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "GRACE", 3.0)
    with Listener(server.addresses[1]) as healthy, never_reading(server):
        healthy.greeted()
        for first in range(1, 5001, 100):
            for seq in range(first, first + 100):
                server.send(emotion(seq) if seq < 2000 else prediction(seq))
            heard = healthy.read_many(100)
            assert [m["seq"] for m in heard] == list(range(first, first + 100))
        wait_until(lambda: server.subscribers == {"tcp": 1, "ws": 0})


def masked(opcode: int, payload: bytes) -> bytes:
    """A short frame of a client, by a mask that changes nothing."""
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


PING = masked(9, b"x" * 125)
REQUEST = masked(1, b'{"type":"ping","id":1}')


def test_pings_of_one_that_never_reads_do_not_pile_up(server: SocketServer) -> None:
    with never_reading(server) as attacker:
        attacker.connection.settimeout(0.5)
        # It is not listened to any more, before 64 MB.
        with pytest.raises(TimeoutError):
            attacker.say(*[PING * 1000] * 500)


def test_nor_do_they_behind_requests_of_one_that_never_reads(
    server: SocketServer,
) -> None:
    with never_reading(server) as attacker:
        attacker.connection.settimeout(0.5)
        # They fill the library's queue; when that is empty, the library listens again.
        # Before 64 MB the attacker is cut off, or at least not listened to any more.
        with pytest.raises((ConnectionError, TimeoutError)):
            attacker.say(*[REQUEST * 20 + PING * 100] * 25, *[PING * 1000] * 500)


def test_one_that_reads_late_may_ask_and_ping_meanwhile(server: SocketServer) -> None:
    with listening(server) as slow:
        seq = 0
        while not server.dropped:
            seq += 1
            server.send(prediction(seq))
        for number in range(200):
            slow.send(json.dumps({"type": "ping", "id": number}))
            answered = slow.ping()
        told: list[dict[str, Any]] = []
        while not told or told[-1].get("id") != 199:
            told += read_many(slow, 1)
        assert [m["id"] for m in told if m["type"] == "pong"] == list(range(200))
        assert answered.wait(120)
        assert server.subscribers["ws"] == 1


@pytest.mark.parametrize(("size", "code"), [(20_000, 1000), (100_000, 1009)])
def test_a_message_too_long_is_the_last(
    server: SocketServer, size: int, code: int
) -> None:
    with listening(server) as connection, listening(server) as honest:
        connection.send("x" * size)
        messages, closed = rest(connection)
        # Far too long a message ends the WebSocket itself.
        last = [{"type": "bye", "reason": "protocol"}] if code == 1000 else []
        assert (messages[-1:], closed) == (last, code)
        server.send(prediction(1))
        assert read_many(honest, 1)[0]["seq"] == 1


def test_what_is_no_websocket_disturbs_no_other(
    server: SocketServer, capfd: pytest.CaptureFixture[str]
) -> None:
    hostile = [
        b"",
        b"\x16\x03\x01\x02\x00\x01",
        b"x" * 100_000,
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
    ]
    with listening(server) as honest, contextlib.ExitStack() as stack:
        for data in hostile * 5:
            attacker = stack.enter_context(Listener(server.addresses[0]))
            with contextlib.suppress(OSError):
                attacker.say(data)
        server.send(prediction(1))
        assert read_many(honest, 1)[0]["seq"] == 1
        # Those that never subscribed do not delay the end.
        server.close()
    assert capfd.readouterr().err == ""


# Who may.


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://localhost:PORT", 101),
        ("http://127.0.0.1:PORT", 101),
        ("http://[::1]:PORT", 101),
        ("https://dash.example.org", 101),
        ("http://localhost:1", 403),
        ("http://localhost", 403),
        ("https://localhost:PORT", 403),
        ("http://evil.example.org:PORT", 403),
        ("https://dash.example.org.evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_only_our_own_page_and_those_allowed_may_listen(
    origin: str | None, status: int
) -> None:
    with serving("ws://localhost:0", origins=["https://dash.example.org"]) as server:
        headers = {}
        if origin is not None:
            port = str(server.addresses[0].port)
            headers["Origin"] = origin.replace("PORT", port)
        if status == 101:
            with listening(server, additional_headers=headers):
                pass
        else:
            assert refusal(server, additional_headers=headers) == status


def test_the_page_of_an_address_that_others_reach_may_listen() -> None:
    with serving("ws://0.0.0.0:0", token="secret") as server:
        port = server.addresses[0].port
        own = {"Origin": f"http://127.0.0.1:{port}", "Authorization": "Bearer secret"}
        with listening(server, additional_headers=own):
            pass
        # A name can be made to mean any machine.
        own["Origin"] = f"http://localhost:{port}"
        assert refusal(server, additional_headers=own) == 403


def test_a_token_may_come_as_header_or_as_first_message() -> None:
    with serving("ws://127.0.0.1:0", token="secret") as server:
        with listening(server, additional_headers={"Authorization": "Bearer secret"}):
            pass
        for header in ("Bearer wrong", "Basic secret", "Bearer"):
            headers = {"Authorization": header}
            assert refusal(server, additional_headers=headers) == 401
        for token, last in (("secret", "snapshot"), ("wrong", "bye")):
            with connect(str(server.addresses[0])) as connection:
                connection.send(json.dumps({"type": "auth", "token": token}))
                assert read_many(connection, 2)[1]["type"] == last


def test_the_page_is_at_the_root_and_nothing_elsewhere(server: SocketServer) -> None:
    root = str(server.addresses[0]).replace("ws:", "http:")
    for path in ("/", "/?uri=ws://localhost:1"):
        with urllib.request.urlopen(root + path, timeout=120) as page:
            assert page.headers["Content-Type"] == "text/html; charset=utf-8"
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
            assert b"<title>ser-stream</title>" in page.read()
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{root}/etc/passwd", timeout=10)
    caught.value.close()
    with (
        pytest.raises(InvalidStatus, match="404"),
        connect(str(server.addresses[0]) + "/events"),
    ):
        pass


def test_without_the_library_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['websockets'] = None\n"
        "from tests.helpers.socket_server import serving\n"
        "with serving('tcp://127.0.0.1:0'): pass\n"
        "with serving('ws://127.0.0.1:0'): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ser_stream.errors.MissingLibraryError: ws:// addresses")
    assert "pip install 'ser-stream[ws]'" in last
