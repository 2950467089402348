"""Subscribers on real sockets: what they are told, in order, whatever others do."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ser_stream.errors import ConfigError
from ser_stream.protocol.messages import bye
from ser_stream.sinks.sockets import backpressure as backpressure
from ser_stream.sinks.sockets import subscriber
from ser_stream.sinks.sockets import subscribers as subscribers
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.cut_connection import cut_when_closed
from tests.helpers.socket_server import (
    Listener,
    begin,
    emotion,
    hello,
    prediction,
    serving,
    socket_folder,
    status,
    wait_until,
)

KINDS = ("unix", "tcp")


@pytest.fixture
def uris() -> Iterator[tuple[str, str]]:
    """A unix and a TCP address."""
    with socket_folder() as folder:
        yield f"unix://{folder}/s", "tcp://127.0.0.1:0"


@pytest.fixture
def server(uris: tuple[str, str]) -> Iterator[SocketServer]:
    with serving(*uris) as server:
        yield server


@pytest.fixture(params=KINDS)
def listener(
    server: SocketServer, request: pytest.FixtureRequest
) -> Iterator[Listener]:
    with Listener(server.addresses[KINDS.index(request.param)]) as listener:
        yield listener


def publish(server: SocketServer, count: int, first: int = 1) -> list[int]:
    """Send predictions with an emotion after every third; their numbers."""
    numbers = list(range(first, first + count))
    for seq in numbers:
        server.send(emotion(seq) if seq % 4 == 0 else prediction(seq))
    return numbers


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    return [message["seq"] for message in messages]


# What all get.


def test_everybody_gets_hello_snapshot_and_all_events_in_order(
    server: SocketServer,
) -> None:
    with contextlib.ExitStack() as stack:
        listeners = [
            stack.enter_context(Listener(address)).greeted()
            for address in server.addresses * 3
        ]
        assert server.subscribers == {"tcp": 3, "unix": 3}
        sent = publish(server, 200)
        for listener in listeners:
            assert numbers(listener.read_many(200)) == sent
        server.close()
        for listener in listeners:
            assert listener.rest() == [{"type": "bye", "reason": "shutdown"}]
    assert server.dropped == 0
    assert server.closed


def test_a_subscriber_before_the_stream_has_begun_is_greeted_when_it_begins(
    uris: tuple[str, str],
) -> None:
    with (
        serving(*uris, begun=False) as server,
        Listener(server.addresses[0]) as listener,
    ):
        listener.say({"type": "ping", "id": 1})
        assert listener.read() == {"type": "pong", "id": 1}
        begin(server)
        greeting = listener.read_many(2)
        assert greeting[0]["model"]["name"] == "test"
        assert greeting[1]["audio"] == "healthy"


def test_a_newcomer_is_told_how_things_stand(
    server: SocketServer, listener: Listener
) -> None:
    listener.greeted()
    server.send(emotion(1, "start"))
    server.send(prediction(2))
    server.send(status(3, "lost"))
    listener.read_many(3)
    with Listener(listener.address) as newcomer:
        _, snapshot = newcomer.read_many(2)
    assert snapshot == {
        "type": "snapshot",
        "end_ms": 912.5,
        "state": "no_speech",
        "emotion": {"id": 7, "label": "angry", "start_ms": 100},
        "audio": "lost",
        "paused": False,
    }


def test_between_snapshot_and_events_nothing_is_lost_or_told_twice(
    server: SocketServer,
) -> None:
    stop = threading.Event()

    def keep_publishing() -> None:
        seq = 0
        while not stop.is_set():
            seq += 1
            server.send(prediction(seq))
            time.sleep(0.0005)

    publisher = threading.Thread(target=keep_publishing)
    publisher.start()
    try:
        for address in server.addresses * 20:
            with Listener(address) as newcomer:
                _, snapshot = newcomer.read_many(2)
                heard = newcomer.read_many(3)
            # A prediction's number is written into its end.
            last = (snapshot["end_ms"] - 512.5) / 200 if snapshot["end_ms"] else 0
            assert numbers(heard) == [last + 1, last + 2, last + 3]
    finally:
        stop.set()
        publisher.join()


def test_a_new_model_is_told_by_a_new_hello(
    server: SocketServer, listener: Listener
) -> None:
    listener.greeted()
    listener.say({"type": "subscribe", "only": []}, {"type": "ping", "id": 1})
    assert listener.read()["type"] == "pong"
    server.send(prediction(1))
    server.send(hello())
    assert listener.read()["type"] == "hello"


def test_a_subscriber_at_the_very_end_gets_bye_or_nothing(
    uris: tuple[str, str],
) -> None:
    for _ in range(100):
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(serving(uris[0]))
            late = [
                stack.enter_context(Listener(server.addresses[0])) for _ in range(5)
            ]
            server.close()
            for listener in late:
                with contextlib.suppress(ConnectionResetError):
                    heard = listener.rest()
                    assert not heard or heard[-1]["type"] == "bye"


# Filters and requests.


def test_a_filter_chooses_events_and_can_be_taken_back(
    server: SocketServer, listener: Listener
) -> None:
    listener.greeted()
    listener.say({"type": "subscribe", "only": ["emotion", "status"], "id": "a"})
    assert listener.read() == {"type": "reply", "id": "a", "ok": True, "result": {}}
    publish(server, 8)
    server.send(status(9))
    assert numbers(listener.read_many(3)) == [4, 8, 9]
    listener.say({"type": "subscribe"}, {"type": "ping", "id": 2})
    assert listener.read() == {"type": "pong", "id": 2}
    publish(server, 2, 10)
    assert numbers(listener.read_many(2)) == [10, 11]


def test_a_bad_request_is_answered_and_the_connection_goes_on(
    server: SocketServer, listener: Listener
) -> None:
    listener.greeted()
    for line, code, id in [
        (b'{"type":"sing","id":1}\n', "unknown_type", 1),
        (b'{"type":"subscribe","id":2,"only":["songs"]}\n', "bad_message", 2),
        (b"sing\n", "bad_json", None),
    ]:
        listener.say(line)
        answer = listener.read()
        assert (answer["ok"], answer["error"]["code"]) == (False, code)
        assert answer["id"] == id
    publish(server, 3)
    assert numbers(listener.read_many(3)) == [1, 2, 3]


def test_the_tenth_bad_line_is_the_last(listener: Listener) -> None:
    listener.greeted()
    listener.say(b"\xff\xfe\n" * 500)
    *refusals, last = listener.rest()
    assert [message["error"]["code"] for message in refusals] == ["bad_json"] * 10
    assert last == {"type": "bye", "reason": "protocol"}


def test_a_line_without_end_is_the_last(listener: Listener) -> None:
    listener.greeted()
    with contextlib.suppress(OSError):
        listener.say(b"x" * 100_000)
    refusal, last = listener.rest()
    assert "16 KiB" in refusal["error"]["text"]
    assert last == {"type": "bye", "reason": "protocol"}


def test_a_client_that_half_closes_gets_its_answers(uris: tuple[str, str]) -> None:
    async def slowly(do: str, _fields: Mapping[str, Any]) -> dict[str, str]:
        await asyncio.sleep(0.05)
        return {"did": do}

    with (
        serving(*uris, control=slowly) as server,
        Listener(server.addresses[0]) as listener,
    ):
        for id in range(3):
            listener.say({"type": "control", "id": id, "do": "status"})
        listener.connection.shutdown(socket.SHUT_WR)
        replies = listener.greeted().rest()
    assert [reply["id"] for reply in replies] == [0, 1, 2]
    assert replies[0]["result"] == {"did": "status"}


# Control.


async def control(do: str, _fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if do == "pause":
        raise ConfigError("this source cannot be paused: " + "\0" * 20_000)
    if do == "resume":
        raise ZeroDivisionError
    if do == "reload":
        return {"huge": "x" * 20_000}
    return {"audio": "healthy"}


@pytest.mark.parametrize(
    ("do", "code", "says"),
    [
        ("pause", "refused", "this source cannot be paused"),
        ("resume", "failed", "resume failed; the daemon's log says why"),
        ("reload", "failed", "reload failed"),
        ("halt", "unknown_command", "allowed are status, pause, resume, reload"),
    ],
)
def test_a_command_that_cannot_be_is_refused(
    uris: tuple[str, str], do: str, code: str, says: str
) -> None:
    with (
        serving(*uris, control=control) as server,
        Listener(server.addresses[0]) as listener,
    ):
        listener.greeted().say(
            {"type": "control", "id": 1, "do": do},
            {"type": "control", "id": 2, "do": "status"},
        )
        error = listener.read()["error"]
        assert error["code"] == code
        assert says in error["text"]
        assert listener.read()["result"] == {"audio": "healthy"}


def test_control_is_for_unix_sockets_only(uris: tuple[str, str]) -> None:
    with (
        serving(*uris, control=control) as server,
        Listener(server.addresses[1]) as listener,
    ):
        listener.greeted().say({"type": "control", "id": 1, "do": "status"})
        assert listener.read()["error"]["code"] == "forbidden"


def test_a_slow_command_keeps_no_other_waiting(uris: tuple[str, str]) -> None:
    release = asyncio.Event()

    async def slowly(_do: str, _fields: Mapping[str, Any]) -> dict[str, str]:
        await release.wait()
        return {}

    with (
        serving(*uris, control=slowly) as server,
        Listener(server.addresses[0]) as listener,
    ):
        listener.greeted().say({"type": "control", "id": 1, "do": "reload"})
        publish(server, 3)
        # The one that asked goes on to get events, too.
        assert numbers(listener.read_many(3)) == [1, 2, 3]
        with Listener(server.addresses[0]) as other:
            other.greeted().say({"type": "ping", "id": 2})
            assert other.read()["type"] == "pong"
        server._loop.call(release.set)
        assert listener.read() == {"type": "reply", "id": 1, "ok": True, "result": {}}


# Slow, dead and too many.


def test_a_slow_subscriber_loses_predictions_only_and_is_told(
    server: SocketServer, listener: Listener
) -> None:
    with Listener(server.addresses[0]) as healthy:
        healthy.greeted()
        listener.greeted()
        for first in range(1, 3001, 100):
            sent = publish(server, 100, first)
            assert numbers(healthy.read_many(100)) == sent
        wait_until(lambda: server.dropped)
        count = server.dropped
        publish(server, 1, 3001)
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1].get("seq") != 3001:
            heard.append(listener.read())
    told = [message for message in heard if message["type"] == "dropped"]
    assert sum(message["count"] for message in told) == server.dropped >= count
    missing = {*range(1, 3002)} - {m["seq"] for m in heard if "seq" in m}
    assert len(missing) == server.dropped
    assert all(seq % 4 for seq in missing)
    assert told[0]["from_seq"] == min(missing)
    assert numbers([m for m in heard if "seq" in m]) == sorted(
        {*range(1, 3002)} - missing
    )


def test_a_subscriber_that_never_reads_gets_bye_and_no_other_notices(
    server: SocketServer, listener: Listener
) -> None:
    with Listener(server.addresses[1]) as healthy:
        healthy.greeted()
        for first in range(1, 3001, 100):
            for seq in range(first, first + 100):
                server.send(emotion(seq))
            assert len(healthy.read_many(100)) == 100
        # What was kept for it, and then the end.
        *heard, last = listener.greeted().rest()
        assert last == {"type": "bye", "reason": "slow_subscriber"}
        assert numbers(heard) == list(range(1, len(heard) + 1))
        wait_until(lambda: sum(server.subscribers.values()) == 1)
        server.send(emotion(3001))
        assert healthy.read()["seq"] == 3001


def test_a_subscriber_that_does_not_even_read_the_bye_is_cut_off(
    server: SocketServer, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "GRACE", 0.1)
    listener.greeted()
    for seq in range(1, 3001):
        server.send(emotion(seq))
    wait_until(lambda: not sum(server.subscribers.values()))


def test_a_subscriber_that_asks_and_never_reads_is_not_answered(
    server: SocketServer, listener: Listener
) -> None:
    listener.connection.settimeout(0.3)
    # Otherwise answers would pile up in the daemon.
    with pytest.raises(TimeoutError):
        listener.say(*[b'{"type":"ping","id":1}\n' * 1000] * 1000)
    assert sum(server.subscribers.values()) == 1


def test_a_subscriber_killed_mid_line_disturbs_no_other(server: SocketServer) -> None:
    with Listener(server.addresses[0]) as healthy:
        healthy.greeted()
        for first, address in enumerate(server.addresses * 10):
            victim = Listener(address).greeted()
            victim.say(b'{"type":"pi')
            publish(server, 10, 10 * first)
            victim.connection.recv(100)
            # What is unread is thrown away: the daemon's next write fails.
            cut_when_closed(victim.connection)
            victim.close()
        publish(server, 1, 200)
        assert numbers(healthy.read_many(201)) == list(range(201))
        wait_until(lambda: sum(server.subscribers.values()) == 1)


def test_too_many_are_refused_and_those_connected_stay(uris: tuple[str, str]) -> None:
    with (
        serving(*uris, max_subscribers=2) as server,
        Listener(server.addresses[0]) as first,
        Listener(server.addresses[1]) as second,
    ):
        first.greeted()
        second.greeted()
        with Listener(server.addresses[1]) as third:
            refusal, last = third.rest()
            assert refusal["error"]["code"] == "too_many"
            assert "2 subscribers" in refusal["error"]["text"]
            assert last == {"type": "bye", "reason": "protocol"}
        second.close()
        wait_until(lambda: server.subscribers["tcp"] == 0)
        with Listener(server.addresses[1]) as third:
            third.greeted()
        publish(server, 1)
        assert first.read()["seq"] == 1


def test_when_all_is_full_some_more_may_ask_on_the_unix_socket(
    uris: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "MORE_BY_UNIX", 2)
    with (
        serving(*uris, max_subscribers=1, control=control) as server,
        contextlib.ExitStack() as stack,
    ):
        unix, tcp = server.addresses
        stack.enter_context(Listener(tcp)).greeted()
        for _ in range(2):
            operator = stack.enter_context(Listener(unix)).greeted()
            operator.say({"type": "control", "id": 1, "do": "status"})
            assert operator.read()["ok"]
        for address in server.addresses:
            with Listener(address) as refused:
                assert refused.read()["error"]["code"] == "too_many"


CROWDED = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 40))
from tests.helpers.socket_server import prediction, serving
with serving(f"unix://{sys.argv[1]}") as server:
    print(flush=True)
    sys.stdin.readline()
    before = time.process_time()
    time.sleep(0.5)
    print(time.process_time() - before, flush=True)
    sys.stdin.readline()
    server.send(prediction(1))
    sys.stdin.readline()
"""


def test_out_of_files_it_neither_dies_nor_spins(uris: tuple[str, str]) -> None:
    path = uris[0].removeprefix("unix://")
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", CROWDED, path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        assert daemon.stderr is not None
        daemon.stdout.readline()
        load_generator = []
        for _ in range(60):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(120)
            connection.connect(path)
            load_generator.append(connection)
        load_generator[0].recv(4)
        daemon.stdin.write("\n")
        daemon.stdin.flush()
        assert float(daemon.stdout.readline()) < 0.25
        # Those who wait are served when others have left.
        for connection in load_generator[:40]:
            connection.close()
        for connection in load_generator[40:]:
            assert connection.recv(8) == b'{"type":'
        daemon.stdin.write("\n\n")
        daemon.stdin.flush()
        errors = daemon.communicate(timeout=120)[1]
    assert "Traceback" not in errors
    assert errors.count("Too many open files") <= 1


# Tokens.


def test_with_the_token_all_is_as_without(uris: tuple[str, str]) -> None:
    with (
        serving(*uris, token="geheim\u00e4") as server,
        Listener(server.addresses[1]) as listener,
    ):
        server.send(prediction(1))
        listener.say({"type": "auth", "token": "geheim\u00e4", "id": 1})
        assert listener.read()["ok"] is True
        listener.greeted()
        server.send(prediction(2))
        assert listener.read()["seq"] == 2


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"auth","token":"wrong"}\n',
        b'{"type":"auth","token":""}\n',
        b'{"type":"auth","token":"\\ud800"}\n',
        b'{"type":"auth"}\n',
        b'{"type":"subscribe"}\n',
        b"GET / HTTP/1.1\r\n",
        b"\n",
    ],
)
def test_without_the_token_nothing_is_told(uris: tuple[str, str], line: bytes) -> None:
    with (
        serving(*uris, token="secret") as server,
        Listener(server.addresses[1]) as listener,
    ):
        server.send(prediction(1))
        listener.say(line + b'{"type":"auth","token":"secret"}\n')
        refusal, last = listener.rest()
    assert refusal["error"]["code"] == "wrong_token"
    assert last == {"type": "bye", "reason": "protocol"}


def test_a_client_without_a_token_is_not_waited_for(
    uris: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "AUTH_WAIT", 0.1)
    with (
        serving(*uris, token="secret") as server,
        Listener(server.addresses[1]) as listener,
    ):
        refusal, last = listener.rest()
    assert refusal["error"]["code"] == "wrong_token"
    assert last["reason"] == "protocol"


def test_a_client_without_a_token_takes_no_subscriber_s_place(
    uris: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "MAX_STRANGERS", 3)
    monkeypatch.setattr(subscriber, "GRACE", 2.0)
    auth = {"type": "auth", "token": "secret", "id": 1}
    with (
        serving(*uris, token="secret", max_subscribers=1) as server,
        contextlib.ExitStack() as stack,
    ):
        strangers = [
            stack.enter_context(Listener(server.addresses[1])) for _ in range(5)
        ]
        # The oldest make room.
        for stranger in strangers[:2]:
            refusal, last = stranger.rest()
            assert refusal["error"]["code"] == "too_many"
            assert "send auth as soon" in refusal["error"]["text"]
            assert last == {"type": "bye", "reason": "protocol"}
        assert server.subscribers["tcp"] == 0
        strangers[2].say(auth)
        assert strangers[2].read()["ok"] is True
        strangers[2].greeted()
        # Only one that has shown it is one too many.
        strangers[3].say(auth)
        refusal, _ = strangers[3].rest()
        assert (refusal["id"], refusal["error"]["code"]) == (1, "too_many")
        assert server.subscribers["tcp"] == 1
        server.close()
        assert strangers[4].rest() == [{"type": "bye", "reason": "shutdown"}]


def test_with_few_files_there_is_room_for_subscribers_and_for_strangers() -> None:
    for token, files, limits in (
        (None, 100, (100, 200)),
        ("secret", 100, (75, 25)),
        ("secret", 9000, (2000, 200)),
        ("secret", -5, (1, 1)),
    ):
        load_generator = subscribers.Subscribers(token=token)
        load_generator.limit_files(files)
        assert (load_generator.max_subscribers, load_generator.max_strangers) == limits


def test_a_unix_socket_needs_no_token_and_takes_one(uris: tuple[str, str]) -> None:
    with (
        serving(*uris, token="secret") as server,
        Listener(server.addresses[0]) as listener,
    ):
        listener.greeted().say({"type": "auth", "token": "secret", "id": 5})
        assert listener.read() == {"type": "reply", "id": 5, "ok": True, "result": {}}


# Hostile lines.

HOSTILE = [
    b"x" * 20_000,
    b"x" * 1_000_000,
    bytes(range(256)) * 30,
    b"[" * 16_000 + b"\n",
    b'{"a":' * 3_000 + b"\n",
    b'{"type":"ping","id":' + b"1" * 10_000 + b"}\n",
    b'{"type":"subscribe","only":[' + b"null," * 3000 + b"null]}\n",
    b'{"type":"pi',
    b"\n" * 1000,
    b"\0" * 5000 + b"\n",
    b'{"type":"ping"}\n' * 2000,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    b'{"type":"control","id":1,"do":"reload"}\n' * 20,
    b'{"type":"auth","token":"' + b"a" * 15_000 + b'"}\n',
]


def test_hostile_lines_disturb_no_honest_subscriber(server: SocketServer) -> None:
    with contextlib.ExitStack() as stack:
        honest = [
            stack.enter_context(Listener(address)).greeted()
            for address in server.addresses
        ]
        seq = 0
        hostile: list[Listener] = []
        for i in range(210):
            attacker = Listener(server.addresses[i % 2])
            hostile.append(attacker)
            attacker.connection.settimeout(0.05)
            with contextlib.suppress(OSError):
                attacker.say(HOSTILE[i % len(HOSTILE)])
            if i % 7 == 0:
                attacker.close()
            seq += 1
            server.send(prediction(seq))
        for listener in honest:
            assert numbers(listener.read_many(seq)) == list(range(1, seq + 1))
            listener.say({"type": "ping", "id": 1})
            assert listener.read()["type"] == "pong"
        for attacker in hostile:
            attacker.close()
        wait_until(lambda: sum(server.subscribers.values()) == len(honest))


# At fast pace.


def test_at_fast_pace_the_pipeline_waits_and_nothing_is_dropped(
    uris: tuple[str, str],
) -> None:
    with serving(*uris, live=False) as server, contextlib.ExitStack() as stack:
        listeners = [
            stack.enter_context(Listener(address)).greeted()
            for address in server.addresses
        ]
        publisher = threading.Thread(target=publish, args=(server, 5000))
        publisher.start()
        for first in range(1, 5001, 100):
            for listener in listeners:
                heard = numbers(listener.read_many(100))
                assert heard == list(range(first, first + 100))
            # Slower than the pipeline could be.
            time.sleep(0.005)
        publisher.join()
    assert server.dropped == 0


def test_at_fast_pace_a_subscriber_that_takes_nothing_is_not_waited_for_long(
    uris: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backpressure, "LONGEST", 3.0)
    monkeypatch.setattr(subscriber, "GRACE", 3.0)
    with (
        serving(*uris, live=False) as server,
        Listener(server.addresses[0]) as dead,
        Listener(server.addresses[1]) as healthy,
    ):
        dead.greeted()
        healthy.greeted()
        publisher = threading.Thread(target=publish, args=(server, 3000))
        publisher.start()
        assert numbers(healthy.read_many(3000)) == list(range(1, 3001))
        publisher.join()
        wait_until(lambda: server.subscribers == {"tcp": 1, "unix": 0})
        server.send(bye("shutdown"))
        assert healthy.rest() == [{"type": "bye", "reason": "shutdown"}]
    assert server.dropped == 0


def test_at_fast_pace_a_stop_waits_for_no_subscriber(uris: tuple[str, str]) -> None:
    with serving(*uris, live=False) as server, Listener(server.addresses[0]) as dead:
        dead.greeted()
        publisher = threading.Thread(target=publish, args=(server, 800))
        publisher.start()
        server.stop_waiting()
        publisher.join(120)
        assert not publisher.is_alive()


def test_the_end_of_a_recording_reaches_a_slow_reader(
    uris: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "GRACE", 2.0)
    with serving(*uris, live=False) as server, Listener(server.addresses[0]) as slow:
        slow.greeted()
        publish(server, 250)
        closing = threading.Thread(target=server.close)
        closing.start()
        heard = []
        for _ in range(10):
            heard += slow.read_many(25)
            time.sleep(0.3)
        assert numbers(heard) == list(range(1, 251))
        assert slow.rest() == [{"type": "bye", "reason": "shutdown"}]
        closing.join()


# Files.


def test_a_server_that_could_not_open_can_be_closed(tmp_path: Path) -> None:
    server = SocketServer()
    server.close()
    server.close()
    assert server.closed
