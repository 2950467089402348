"""`ser_stream.client` against a real server, and against servers that misbehave."""

import array
import contextlib
import fcntl
import json
import logging
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ser_stream.client import (
    AccessError,
    Message,
    ProtocolError,
    RefusedError,
    UnreachableError,
    connect,
    subscription,
    where,
)
from ser_stream.client.connection import unreachable
from ser_stream.client.retry import Backoff
from ser_stream.client.stream import Stream
from ser_stream.client.subscription import raise_refusal
from ser_stream.errors import ConfigError
from ser_stream.paths import SYSTEM_SOCKET, default_socket
from ser_stream.protocol.address import parse
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers import socket_server as hub_server
from tests.helpers.scripted_server import HELLO, says, scripted_server, until_left
from tests.helpers.socket_server import emotion, prediction, serving, status

KINDS = ["unix", "tcp", "ws"]
TOKEN = "a long secret"


@pytest.fixture
def folder() -> Iterator[Path]:
    with hub_server.socket_folder() as path:
        yield path


@pytest.fixture
def uris(folder: Path) -> dict[str, str]:
    """What a server can listen on, by the kind of address."""
    return {
        "unix": f"unix://{folder}/s",
        "tcp": "tcp://127.0.0.1:0",
        "ws": "ws://127.0.0.1:0",
    }


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "PING_AFTER", 0.1)
    monkeypatch.setattr(subscription, "PONG_WITHIN", 0.2)


def types(messages: Iterator[Message], count: int) -> list[str]:
    return [message["type"] for message in islice(messages, count)]


@contextlib.contextmanager
def ending(server: SocketServer) -> Iterator[None]:
    """Close a server in the meantime: it waits for its subscribers to read that."""
    thread = threading.Thread(target=server.close)
    thread.start()
    yield
    thread.join()


def is_known(server: SocketServer) -> Callable[[], bool]:
    """Whether the server knows its subscriber, and so what it wants."""
    return lambda: sum(server.subscribers.values()) == 1


def test_the_type_of_a_message_tells_a_type_checker_its_fields(
    uris: dict[str, str],
) -> None:
    began: list[str] = []
    with (
        serving(uris["unix"]) as server,
        connect(uris["unix"], reconnect=False) as stream,
    ):
        server.send(emotion(1, "start", "sad"))
        server.close()
        for message in stream:
            if message["type"] == "emotion":
                if message["phase"] == "start":
                    began.append(message["label"])
                with pytest.raises(KeyError):
                    # An unused "ignore" would be an error: the checker knows.
                    message["scores"]  # type: ignore[typeddict-item]
            elif message["type"] == "hello":
                began += message["model"]["labels"]
            elif "seq" in message:
                assert message["seq"] > 0
    assert began == [*hub_server.LABELS, "sad"]


@pytest.mark.parametrize("kind", KINDS)
def test_hello_and_snapshot_come_first_and_then_every_event(
    uris: dict[str, str], kind: str
) -> None:
    with serving(uris[kind]) as server, connect(str(server.addresses[0])) as stream:
        assert stream.hello["model"]["name"] == "test"
        assert stream.labels == tuple(hub_server.LABELS)
        for seq in range(1, 4):
            server.send(prediction(seq))
        first, second, *events = list(islice(stream, 5))
        assert first == stream.hello
        assert second["type"] == "snapshot"
        assert [e["seq"] for e in events if "seq" in e] == [1, 2, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_was_asked_for_comes_from_the_first_message_on(
    uris: dict[str, str], kind: str
) -> None:
    with serving(uris[kind]) as server:
        stream = connect(str(server.addresses[0]), only=["emotion", "status"])
        with stream:
            for seq in range(1, 50, 5):
                server.send(prediction(seq))
                server.send(emotion(seq + 1))
                server.send(status(seq + 2))
            got = types(stream, 22)
    assert got == ["hello", "snapshot", *["emotion", "status"] * 10]


def test_one_name_is_enough_and_a_wrong_one_is_told(uris: dict[str, str]) -> None:
    with (
        serving(uris["unix"]) as server,
        connect(uris["unix"], only="status") as stream,
    ):
        server.send(emotion(1))
        server.send(status(2))
        assert types(stream, 3)[-1] == "status"
    with pytest.raises(ConfigError, match=r"no events emotions; allowed: prediction"):
        connect(uris["unix"], only=["emotions"])


@pytest.mark.parametrize("kind", KINDS)
def test_after_bye_it_ends_unless_it_is_to_connect_again(
    uris: dict[str, str], kind: str
) -> None:
    with serving(uris[kind]) as server:
        stream = connect(str(server.addresses[0]), reconnect=False)
        with ending(server):
            assert types(stream, 9) == ["hello", "snapshot", "bye"]
        assert list(stream) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_daemon_that_is_started_again_is_found_and_says_hello_again(
    uris: dict[str, str], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(uris[kind]) as server:
        address = str(server.addresses[0])
        stream = connect(address)
        with ending(server):
            assert types(stream, 3) == ["hello", "snapshot", "bye"]
    with serving(address) as server, stream:
        assert types(stream, 2) == ["hello", "snapshot"]
        server.send(prediction(1))
        assert next(stream)["type"] == "prediction"
    said = [r.message for r in caplog.records if r.name == "ser_stream.client"]
    assert said == [
        f"{address} said bye: shutdown; trying again until it is there",
        f"connected to {address} again",
    ]
    # It was stopped: nothing to worry about.
    assert {r.levelno for r in caplog.records} == {logging.INFO}


def test_it_waits_for_a_daemon_that_is_not_there_yet(
    uris: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    got: list[str] = []

    def listen() -> None:
        with connect(uris["unix"]) as stream:
            got.extend(types(stream, 2))

    thread = threading.Thread(target=listen)
    thread.start()
    hub_server.wait_until(lambda: caplog.records)
    assert "nothing listens on unix://" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
    with serving(uris["unix"]):
        thread.join(10)
    assert got == ["hello", "snapshot"]


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_listens_it_says_so_if_it_is_not_to_wait(
    uris: dict[str, str], kind: str
) -> None:
    with serving(uris[kind]) as server:
        address = str(server.addresses[0])
    with pytest.raises(UnreachableError, match=address) as caught:
        connect(address, reconnect=False)
    assert caught.value.exit_status == 5
    if kind == "unix":
        assert f"`ser-stream listen --to {address}`" in str(caught.value)


def test_a_host_that_is_not_known_is_told() -> None:
    with pytest.raises(UnreachableError, match="cannot connect to tcp://nowhere"):
        connect("tcp://nowhere.invalid:1", reconnect=False)


@pytest.mark.parametrize("kind", ["tcp", "ws"])
def test_a_token_opens_and_a_wrong_one_is_an_error_at_once(
    uris: dict[str, str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SER_STREAM_TOKEN", raising=False)
    with serving(uris[kind], token=TOKEN) as server:
        address = str(server.addresses[0])
        with connect(address, token=TOKEN, only="emotion") as stream:
            assert types(stream, 2) == ["hello", "snapshot"]
        # Also where it would connect again: no time brings the right one.
        with pytest.raises(AccessError, match="token") as caught:
            connect(address, token="wrong", only="emotion")
        assert caught.value.code == "wrong_token"
        assert caught.value.exit_status == 5
        monkeypatch.setenv("SER_STREAM_TOKEN", TOKEN)
        with connect(address) as stream:
            assert stream.labels


def test_no_token_is_told_to_a_unix_socket_and_none_does_no_harm(
    uris: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_STREAM_TOKEN", TOKEN)
    with serving(uris["unix"], uris["tcp"]) as server:
        for address in server.addresses:
            with connect(str(address)) as stream:
                server.send(status(1))
                assert types(stream, 3) == ["hello", "snapshot", "status"]
    heard: list[bytes] = []

    def script(connection: socket.socket) -> None:
        connection.sendall(HELLO)
        heard.append(until_left(connection))

    path = Path(uris["unix"].removeprefix("unix://"))
    with scripted_server(script, path=path) as uri:
        connect(uri, only="emotion").close()
    assert b"subscribe" in heard[0]
    assert b"auth" not in heard[0]


def test_one_subscriber_too_many_waits_for_a_place(uris: dict[str, str]) -> None:
    with serving(uris["tcp"], max_subscribers=1) as server:
        uri = str(server.addresses[0])
        first = connect(uri)
        with pytest.raises(UnreachableError, match="there are 1 subscribers already"):
            connect(uri, reconnect=False)
        threading.Timer(0.2, first.close).start()
        with connect(uri) as second:
            assert types(second, 2) == ["hello", "snapshot"]
        hub_server.wait_until(lambda: not sum(server.subscribers.values()))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", KINDS)
def test_a_daemon_that_is_only_quiet_is_asked_and_kept(
    uris: dict[str, str], kind: str
) -> None:
    with serving(uris[kind]) as server:
        stream = connect(str(server.addresses[0]), only="emotion", reconnect=False)
        with stream:
            threading.Timer(0.7, server.send, [emotion(1)]).start()
            assert types(stream, 3) == ["hello", "snapshot", "emotion"]


@pytest.mark.usefixtures("impatient")
def test_a_daemon_that_answers_no_more_is_left_for_the_next() -> None:
    heard: list[bytes] = []

    def hang(connection: socket.socket) -> None:
        connection.sendall(HELLO)
        heard.append(until_left(connection))

    with scripted_server(hang, hang, says(HELLO)) as uri:
        with (
            connect(uri, reconnect=False) as stream,
            pytest.raises(UnreachableError, match="does not answer any more"),
        ):
            list(stream)
        with connect(uri) as stream:
            assert types(stream, 2) == ["hello", "hello"]
    assert heard[0] == b'{"type":"ping","id":"ser_stream.client"}\n'


def test_a_server_that_accepts_and_says_nothing_is_no_daemon() -> None:
    with (
        scripted_server(until_left) as uri,
        pytest.raises(UnreachableError, match=r"did not say hello within 0.2 s"),
    ):
        connect(uri, reconnect=False, timeout=0.2)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"GIF89a\n", "no line of the protocol: 'GIF89a'"),
        (b"\xff\xfe\n", "no line of the protocol"),
        (b"[1]\n", "no line of the protocol"),
        (b"[" * 9000 + b"\n", r"no line of the protocol: '\[+'\.\.\."),
        (b'{"kind":"hello"}\n', "no line of the protocol"),
        (b"x" * 16_384, "longer than 16384 bytes"),
        (b'{"type":"hello","protocol":2}\n', "it speaks protocol 2, .* only 1"),
        (b'{"type":"hello","protocol":1}\n', "a hello line lacks audio, model"),
        (
            HELLO.replace(b'"labels"', b'"names"'),
            r"a hello.model line lacks labels",
        ),
        (HELLO + b'{"type":"emotion","seq":1}\n', "a emotion line lacks"),
    ],
)
def test_another_protocol_is_left_with_a_clear_error(line: bytes, text: str) -> None:
    with scripted_server(says(line)) as uri, pytest.raises(ProtocolError, match=text):
        list(connect(uri))


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", AccessError, "403"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", ProtocolError, "404"),
        (b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", UnreachableError, "502"),
        (b'{"type":"hello"}\n', ProtocolError, "no WebSocket of ser-stream"),
    ],
)
def test_a_handshake_that_fails_says_why(
    answer: bytes, error: type[Exception], text: str
) -> None:
    with scripted_server(says(answer)) as uri, pytest.raises(error, match=text):
        connect(uri.replace("tcp", "ws"), reconnect=False)


@pytest.mark.parametrize("size", [None, 20_000])
def test_a_message_in_fragments_is_put_together_and_a_huge_one_refused(
    size: int | None,
) -> None:
    sync_server = pytest.importorskip("websockets.sync.server")
    line = HELLO.decode().strip()

    def handler(connection: Any) -> None:
        connection.send("x" * size if size else [line[:9], line[9:40], line[40:]])
        list(connection)

    with sync_server.serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        uri = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        if size:
            with pytest.raises(ProtocolError, match=r"WebSocket: .*16384"):
                connect(uri)
        else:
            with connect(uri) as stream:
                assert next(stream) == json.loads(HELLO)
        server.shutdown()
        thread.join()


def test_lines_may_come_byte_by_byte() -> None:
    def dribble(connection: socket.socket) -> None:
        for byte in HELLO + emotion(1).line:
            connection.sendall(bytes([byte]))

    with scripted_server(dribble) as uri, connect(uri, reconnect=False) as stream:
        assert types(stream, 2) == ["hello", "emotion"]


def test_no_more_is_read_than_is_soon_used(folder: Path) -> None:
    line = prediction(1).line
    taken, measured = threading.Event(), threading.Event()
    left = array.array("i", [0])

    def script(connection: socket.socket) -> None:
        connection.sendall(HELLO + 100 * line)
        taken.wait(120)
        fcntl.ioctl(connection, termios.TIOCOUTQ, left)
        measured.set()
        until_left(connection)

    with (
        scripted_server(script, path=folder / "s") as uri,
        connect(uri, reconnect=False) as stream,
    ):
        next(stream)
        taken.set()
        assert measured.wait(120)
    # To the daemon, a client that uses what it read ahead looks asleep.
    assert left[0] > 80 * len(line)


def test_types_of_a_newer_daemon_are_skipped_and_its_fields_kept() -> None:
    newer = emotion(2).line.replace(b"{", b'{"mood":{"joy":1},', 1)
    lines = (HELLO, b'{"type":"song","seq":1}\n', newer)
    with scripted_server(says(*lines)) as uri, connect(uri) as stream:
        got = list(islice(stream, 2))
    assert [m["type"] for m in got] == ["hello", "emotion"]
    assert {**got[1]}["mood"] == {"joy": 1}


def test_a_connection_that_breaks_is_an_error_if_it_is_not_to_connect_again() -> None:
    with (
        scripted_server(lambda c: c.sendall(HELLO)) as uri,
        connect(uri, reconnect=False) as stream,
    ):
        assert next(stream)["type"] == "hello"
        with pytest.raises(UnreachableError, match="closed the connection"):
            next(stream)


def test_another_thread_may_close_it_and_the_iteration_ends(
    uris: dict[str, str],
) -> None:
    with serving(uris["unix"], uris["tcp"]) as server:
        for address in server.addresses:
            stream = connect(str(address))
            threading.Timer(0.1, stream.close).start()
            assert types(stream, 9) == ["hello", "snapshot"]


def test_closing_while_the_iteration_disconnects_is_no_error(
    uris: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(uris["unix"]), connect(uris["unix"]) as stream:
        looks = iter([stream._connection])
        # The other thread disconnects between the first look and the second.
        connection = property(lambda _: next(looks, None))
        with monkeypatch.context() as patch:
            patch.setattr(Stream, "_connection", connection, raising=False)
            stream.close()


def test_closing_also_ends_the_wait_for_a_daemon(uris: dict[str, str]) -> None:
    with serving(uris["unix"]):
        stream = connect(uris["unix"])
    threading.Timer(0.6, stream.close).start()
    assert types(stream, 9) == ["hello", "snapshot", "bye"]


def test_without_an_address_the_users_daemon_is_found_then_the_systems(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    own, system = folder / "ser-stream" / "ser-stream.sock", folder / "system"
    assert default_socket() == own
    monkeypatch.setattr(where, "SYSTEM_SOCKET", system)
    with pytest.raises(UnreachableError, match=f"nothing listens on unix://{own}"):
        connect(reconnect=False)
    with serving(f"unix://{system}"):
        with connect(reconnect=False) as stream:
            assert stream.labels
        own.parent.mkdir()
        with serving(f"unix://{own}") as server, connect() as stream:
            hub_server.wait_until(is_known(server))


@pytest.mark.parametrize("folder_name", [None, "", "relative"])
def test_without_a_runtime_folder_the_socket_is_the_systems(
    folder_name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if folder_name is not None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder_name)
    assert default_socket() == SYSTEM_SOCKET


def test_standard_output_is_nothing_to_subscribe_to() -> None:
    with pytest.raises(ConfigError, match="no address to subscribe to"):
        connect("stdout:")


def test_another_users_socket_is_not_tried_again() -> None:
    # By hand: root, as these tests may run, is permitted everything.
    error = unreachable(parse("unix:///run/x"), PermissionError(13, "no"))
    assert isinstance(error, AccessError)
    assert "no permission for unix:///run/x" in str(error)


def test_delays_grow_to_five_seconds_and_are_spread() -> None:
    backoff = Backoff()
    delays = [backoff.next() for _ in range(200)]
    assert min(delays) >= 0.25
    assert delays[0] <= 0.5
    assert 4 < max(delays) <= 5
    backoff.reset()
    assert backoff.next() <= 0.5


def test_a_client_loads_neither_numpy_nor_the_pipeline(folder: Path) -> None:
    code = (
        "import sys, ser_stream.client, ser_stream.client.aio\n"
        "list(ser_stream.client.connect(sys.argv[1], reconnect=False))\n"
        "heavy = 'numpy onnxruntime sounddevice soundfile soxr typer websockets'\n"
        "print([m for m in heavy.split() if m in sys.modules])\n"
    )
    bye = b'{"type":"bye","reason":"shutdown"}\n'
    with scripted_server(says(HELLO, bye), path=folder / "s") as uri:
        done = subprocess.run(
            [sys.executable, "-c", code, uri], capture_output=True, text=True
        )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_of_a_serve_it_is_said_what_it_is_for() -> None:
    refusal = {"type": "reply", "ok": False, "error": {"code": "no_open"}}
    with pytest.raises(RefusedError, match=r"takes audio, .* by `ser-stream send`"):
        raise_refusal(refusal, parse("tcp://127.0.0.1:1"), 1)
