"""Who asks for the past gets it whole and in order, and then what is live."""

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ser_stream.protocol.messages import Message, begun, utc_text
from ser_stream.sinks.sockets.history import MAX_BYTES, History
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.protocol_schema import validate, validate_request
from tests.helpers.socket_server import (
    LABELS,
    Listener,
    begin,
    emotion,
    prediction,
    serving,
    socket_folder,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float, message: Message) -> Message:
    time = utc_text(START + timedelta(seconds=seconds))
    return Message({**message.fields, "time": time})


def noisy(seq: int, random: random.Random) -> Message:
    """As hard to compress as a real prediction."""
    scores = {label: round(random.random(), 4) for label in LABELS}
    level, latency = round(-random.random() * 60, 1), round(random.random() * 9, 1)
    noise = {"scores": scores, "level_dbfs": level, "latency_ms": latency}
    return Message({**prediction(seq).fields, **noise})


def hour(history: History, hours: float = 1) -> list[bytes]:
    """Five predictions a second, and now and then an emotion; their lines."""
    numbers = random.Random(1)
    lines = []
    for seq in range(1, int(hours * 18_000) + 1):
        message = at(seq / 5, emotion(seq) if seq % 50 == 0 else noisy(seq, numbers))
        history.follow(message)
        lines.append(message.line)
    return lines


def test_an_hour_comes_back_to_the_byte_from_little_memory() -> None:
    history = History()
    lines = hour(history)
    past = history.last(3600)
    assert list(past.lines) == lines
    assert past.spans == {"": (1, 18_000)}
    assert sys.getsizeof(history) < 2_500_000 < len(b"".join(lines)) / 2


def test_older_than_an_hour_is_forgotten() -> None:
    history = History()
    lines = hour(history, 1.5)
    assert sys.getsizeof(history) < 2_500_000
    past = history.last(3600)
    assert list(past.lines) == lines[-18_001:]


def test_the_oldest_goes_where_bytes_are_short() -> None:
    history = History(max_bytes=100_000)
    lines = hour(history, 0.25)
    assert sys.getsizeof(history) < 100_000 + 64 * 1024 + 1000 < MAX_BYTES
    kept = list(history.last(3600).lines)
    assert 0 < len(kept) < len(lines)
    assert kept == lines[-len(kept) :]


@pytest.mark.parametrize("seconds", [0.1, 1, 299.9, 700])
def test_so_many_seconds_and_no_more(seconds: float) -> None:
    history = History()
    lines = hour(history, 0.2)
    past = history.last(seconds)
    wanted = lines[-int(seconds * 5) - 1 :]
    assert list(past.lines) == wanted
    assert past.spans[""][0] == 3600 - len(wanted) + 1


@pytest.mark.parametrize("seconds", [60, 1800, 3600])
def test_where_the_clock_was_set_back_there_is_no_hole(seconds: float) -> None:
    history = History()
    numbers = random.Random(1)
    for seq in range(1, 12_001):
        # Two hours ahead for the first three minutes, as before the clock is asked.
        wrong = 7200 if seq < 900 else 0
        history.follow(at(seq / 5 + wrong, noisy(seq, numbers)))
    past = history.last(seconds)
    first, last = past.spans[""]
    found = [json.loads(line)["seq"] for line in past.lines]
    assert found == list(range(first, last + 1))
    assert last == 12_000
    assert first == max(900, 12_000 - seconds * 5) if seconds < 3600 else 1


def test_of_several_sources_the_past_ends_now_though_the_clock_was_set_back() -> None:
    history = History()
    for seq in range(1, 6001):
        # One source ends while the clock is a day ahead.
        ahead = 86_400 if seq <= 3000 else 0
        for source in ("desk", "hall", "gone") if ahead else ("desk", "hall"):
            message = at(seq / 5 + ahead, prediction(seq))
            history.follow(Message({**begun("prediction", source), **message.fields}))
    past = history.last(60)
    assert past.spans.keys() == {"desk", "hall"}
    assert len(list(past.lines)) == pytest.approx(2 * 300, abs=2)


def test_of_no_events_there_is_no_past() -> None:
    past = History().last(60)
    assert (past.spans, list(past.lines)) == ({}, [])


@pytest.fixture(params=["unix", "tcp"])
def server(request: pytest.FixtureRequest) -> Iterator[SocketServer]:
    with socket_folder() as folder:
        unix = f"unix://{folder}/s"
        with serving(unix if request.param == "unix" else "tcp://localhost:0") as it:
            yield it


def ask(last_s: float, **more: object) -> dict[str, Any]:
    request = {"type": "history", "last_s": last_s, "id": 1, **more}
    validate_request(request)
    return request


def test_live_events_follow_without_a_hole_or_a_double(server: SocketServer) -> None:
    for seq in range(1, 6001):
        server.send(prediction(seq))
    with Listener(server.addresses[0]) as listener:
        listener.greeted().say(ask(3600))
        said = validate(listener.read())
        assert said == {"type": "history", "id": 1, "from_seq": 1, "to_seq": 6000}
        # While it is still under way: the reader has taken nothing of it.
        for seq in range(6001, 6501):
            server.send(prediction(seq))
        heard = listener.read_many(6500)
        assert [message["seq"] for message in heard] == list(range(1, 6501))
        assert server.dropped == 0


def test_a_reader_of_the_past_that_sleeps_loses_live_predictions_only(
    server: SocketServer,
) -> None:
    for seq in range(1, 6001):
        server.send(prediction(seq))
    with Listener(server.addresses[0]) as listener:
        listener.greeted().say(ask(3600))
        assert listener.read()["type"] == "history"
        for seq in range(6001, 9001):
            server.send(emotion(seq) if seq % 10 == 0 else prediction(seq))
        heard = listener.read_many(6000)
        assert [message["seq"] for message in heard] == list(range(1, 6001))
        assert listener.read()["type"] == "dropped"
        seqs = {message["seq"] for message in listener.read_many(1000)}
        assert seqs >= set(range(6010, 9001, 10))


def test_only_the_types_that_were_subscribed_to(server: SocketServer) -> None:
    for seq in range(1, 501):
        server.send(emotion(seq) if seq % 10 == 0 else prediction(seq))
    with Listener(server.addresses[0]) as listener:
        listener.greeted().say({"type": "subscribe", "only": ["emotion"]}, ask(3600))
        assert listener.read()["from_seq"] == 1
        heard = listener.read_many(50)
        assert [message["seq"] for message in heard] == list(range(10, 501, 10))


def test_a_second_request_waits_for_the_first(server: SocketServer) -> None:
    for seq in range(1, 2001):
        server.send(prediction(seq))
    with Listener(server.addresses[0]) as listener:
        listener.greeted().say(ask(3600), ask(60, id=2))
        heard = listener.read_many(2002)
        assert next(m for m in heard if m["type"] == "reply")["id"] == 2
        listener.say(ask(3600, id=3))
        assert listener.read()["to_seq"] == 2000


@pytest.mark.parametrize("last_s", [None, 0, -1, 3601, "60", True])
def test_a_bad_request_is_told_what_is_allowed(
    server: SocketServer, last_s: object
) -> None:
    with Listener(server.addresses[0]) as listener:
        listener.greeted().say({"type": "history", "last_s": last_s, "id": 1})
        error = validate(listener.read())["error"]
        assert error["code"] == "bad_message"
        assert "up to 3600" in error["text"]


def test_who_asks_before_the_stream_begins_is_answered_after_hello() -> None:
    with (
        serving("tcp://localhost:0", begun=False) as server,
        Listener(server.addresses[0]) as listener,
    ):
        listener.say(ask(60), {"type": "ping", "id": 2})
        assert listener.read() == {"type": "pong", "id": 2}
        begin(server)
        assert listener.greeted().read()["from_seq"] is None
        server.send(prediction(1))
        assert listener.read()["seq"] == 1


def test_health_counts_subscribers(server: SocketServer) -> None:
    kind = server.addresses[0].kind
    with Listener(server.addresses[0]) as one, Listener(server.addresses[0]) as two:
        one.greeted()
        two.greeted().say({"type": "health", "id": 4})
        answer = validate(two.read())
        assert answer["id"] == 4
        assert answer["result"] == {"subscribers": {kind: 2}, "dropped": 0}
