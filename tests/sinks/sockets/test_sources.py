"""Several streams on one socket: each greeted, filtered and remembered by itself."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from ser_stream.client import RefusedError, aio, connect
from ser_stream.pipeline.values import AudioState
from ser_stream.protocol.messages import Message, snapshot
from ser_stream.sinks.sockets.drop_queue import DropQueue
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.protocol_schema import validate, validate_request
from tests.helpers.socket_server import (
    Listener,
    emotion,
    hello,
    prediction,
    serving,
    socket_folder,
    status,
    wait_until,
)

DESK, HALL = "desk", "hall.left"


def of(source: str, message: Message) -> Message:
    """The same, told of a source."""
    kind = message.fields["type"]
    fields: dict[str, Any] = {"type": kind, "source": source, **message.fields}
    if kind == "hello":
        fields["stream"] = f"{len(source):08}-0000-0000-0000-000000000000"
    return Message(fields)


def begin(server: SocketServer, *sources: str) -> None:
    for source in sources:
        server.send(of(source, hello()))
        server.send(snapshot(0, "no_speech", None, AudioState.HEALTHY, source))


@contextlib.contextmanager
def quiet_server() -> Iterator[SocketServer]:
    """One of which nothing has been told."""
    with (
        socket_folder() as folder,
        serving(f"unix://{folder}/s", begun=False) as server,
    ):
        yield server


def names(messages: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(validate(m)["type"], m.get("source")) for m in messages]


GREETINGS = [(kind, name) for name in (DESK, HALL) for kind in ("hello", "snapshot")]


def test_whoever_joins_before_or_after_the_start_is_told_how_each_stands() -> None:
    with (
        socket_folder() as folder,
        serving(f"unix://{folder}/s", begun=False) as server,
        Listener(server.addresses[0]) as early,
    ):
        wait_until(lambda: server.subscribers["unix"])
        begin(server, DESK, HALL)
        server.send(of(HALL, emotion(1, "start")))
        server.send(of(DESK, status(1, "ended")))
        told = early.read_many(6)
        assert names(told) == [*GREETINGS, ("emotion", HALL), ("status", DESK)]
        with Listener(server.addresses[0]) as late:
            told = late.read_many(4)
            assert names(told) == GREETINGS
            assert (told[1]["emotion"], told[1]["audio"]) == (None, "ended")
            assert told[3]["emotion"]["label"] == "angry"
            # Only one of them, and of that only emotions.
            asked = {"type": "subscribe", "id": 1, "only": ["emotion"]}
            asked |= {"sources": [HALL]}
            validate_request(asked)
            late.say(asked)
            assert late.read()["ok"]
            for source in (DESK, HALL):
                server.send(of(source, hello()))
                server.send(of(source, prediction(2)))
                server.send(of(source, emotion(3)))
            assert names(late.read_many(2)) == [("hello", HALL), ("emotion", HALL)]
            # The other one again: it is as new.
            late.say({"type": "subscribe", "sources": [DESK]})
            assert names(late.read_many(2)) == GREETINGS[:2]
            late.say({"type": "subscribe", "id": 2, "sources": ["nobody"]})
            error = late.read()["error"]
            assert error["text"].endswith(f"there are: {DESK}, {HALL}")
            late.say({"type": "subscribe", "id": 3, "sources": "desk"})
            assert late.read()["error"]["code"] == "bad_message"


def test_the_past_is_told_for_each_and_of_those_that_are_wanted() -> None:
    with quiet_server() as server:
        begin(server, DESK, HALL, "idle")
        for seq in range(1, 401):
            server.send(of(DESK, prediction(seq)))
            if seq % 100 == 0:
                server.send(of(HALL, emotion(seq // 100)))
        with Listener(server.addresses[0]) as listener:
            listener.read_many(6)
            listener.say({"type": "history", "id": 1, "last_s": 60})
            spans = {m["source"]: m for m in map(validate, listener.read_many(3))}
            ends = {name: (m["from_seq"], m["to_seq"]) for name, m in spans.items()}
            assert ends == {DESK: (1, 400), HALL: (1, 4), "idle": (None, None)}
            past = listener.read_many(404)
            assert [m["seq"] for m in past if m["source"] == HALL] == [1, 2, 3, 4]
            listener.say({"type": "subscribe", "id": 2, "sources": [HALL, "idle"]})
            listener.read()
            listener.say({"type": "history", "id": 3, "last_s": 60})
            assert [m["source"] for m in listener.read_many(2)] == [HALL, "idle"]
            assert names(listener.read_many(4)) == [("emotion", HALL)] * 4


def test_what_is_dropped_is_counted_for_each_source() -> None:
    queue = DropQueue(4)
    for seq in (1, 2, 3):
        queue.put(of(DESK, prediction(seq)))
        queue.put(of(HALL, prediction(10 + seq)))
    told = []
    while (message := queue.get()) is not None:
        told.append(validate(dict(message.fields)))
    lost = [(m["source"], m["count"], m["from_seq"], m["to_seq"]) for m in told[:2]]
    assert lost == [(DESK, 1, 1, 1), (HALL, 1, 11, 11)]
    assert len(told) == 6


def test_the_client_hears_those_that_it_names() -> None:
    with quiet_server() as server:
        begin(server, DESK, HALL)
        for seq in (1, 2):
            server.send(of(DESK, prediction(seq)))
            server.send(of(HALL, prediction(seq)))
        uri = str(server.addresses[0])
        options: dict[str, Any] = {"reconnect": False, "history": 60}
        with connect(uri, source=HALL, **options) as stream:
            told = [next(stream) for _ in range(5)]
            assert {m.get("source") for m in told} == {HALL}
            assert [m["seq"] for m in told if "seq" in m] == [1, 2]
            assert list(stream.hellos) == [HALL]

        async def both() -> list[Any]:
            async with aio.connect(uri, source=[DESK, HALL], **options) as stream:
                seen = [await anext(stream) for _ in range(10)]
                assert list(stream.hellos) == [DESK, HALL]
            return seen

        assert [m["seq"] for m in asyncio.run(both()) if "seq" in m] == [1, 1, 2, 2]
        with pytest.raises(RefusedError, match="there are: desk, hall"):
            connect(uri, source="nobody", **options)
    with socket_folder() as folder, serving(f"unix://{folder}/s") as server:
        uri = str(server.addresses[0])
        with pytest.raises(RefusedError, match="leave source"):
            connect(uri, source="desk", reconnect=False)
