"""Ogg whose header is long, as with a picture among its tags, sent all at once."""

import base64
import contextlib
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pytest

from ser_stream.client import Message, RefusedError, SentStream, send
from ser_stream.errors import SerStreamError
from tests.helpers.made_recordings import missing_tool
from tests.helpers.paths import MINUTE
from tests.helpers.running_serve import RunningServe, running_serve
from tests.helpers.socket_server import wait_until
from tests.helpers.users_recordings import ffmpeg

pytestmark = pytest.mark.skipif(missing_tool() is not None, reason="needs ffmpeg")
TIMEOUT = 60.0
Tagged = Callable[[int], bytes]


@pytest.fixture(scope="module")
def served() -> Iterator[RunningServe]:
    with running_serve("--idle-s", "300", kinds=("tcp", "ws")) as served:
        yield served


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Tagged:
    """The same six seconds of Opus, with so many bytes of a picture in its tags."""
    folder = tmp_path_factory.mktemp("ogg")
    ffmpeg(MINUTE, "-t 6 -c:a libopus", folder / "talk.opus")

    def make(size: int) -> bytes:
        picture = base64.b64encode(random.Random(0).randbytes(size // 4 * 3)).decode()
        tags, made = folder / "tags", folder / f"{size}.opus"
        tags.write_text(f";FFMETADATA1\nMETADATA_BLOCK_PICTURE={picture}\n")
        ffmpeg(
            folder / "talk.opus",
            f"-f ffmetadata -i {tags} -map_metadata 1 -c copy",
            made,
        )
        data = made.read_bytes()
        assert len(data) > size
        return data

    return make


def heard(uri: str, data: bytes) -> list[Message]:
    """What is said of a stream that is sent without a pause."""

    def pour(stream: SentStream) -> None:
        # Why it is taken no further, the events say.
        with contextlib.suppress(SerStreamError):
            stream.write(data)
            stream.end()

    with send(uri, encoding="ogg") as stream:
        threading.Thread(target=pour, args=(stream,), daemon=True).start()
        return list(stream.events(TIMEOUT))


def events(messages: list[Any]) -> list[tuple[Any, ...]]:
    return [(m["type"], m["end_ms"], m["label"]) for m in messages if "seq" in m]


@pytest.mark.parametrize("kind", ["tcp", "ws"])
def test_sound_behind_a_long_header_is_heard(
    served: RunningServe, tagged: Tagged, kind: str
) -> None:
    uri, before = served.addresses[kind], served.descriptors()
    expected = events(heard(uri, tagged(1000)))
    assert len(expected) > 20
    for size in (400_000, 2_000_000, 4_000_000):
        told = heard(uri, tagged(size))
        assert told[-1] == {"type": "bye", "reason": "end"}
        assert events(told) == expected
    wait_until(lambda: served.descriptors() <= before)


def test_a_header_that_is_too_long_is_refused(
    served: RunningServe, tagged: Tagged
) -> None:
    before = served.descriptors()
    for kind in ("tcp", "ws"):
        with pytest.raises(RefusedError, match=r"longer than the 4 MiB .* pictures"):
            heard(served.addresses[kind], tagged(6_000_000))
    wait_until(lambda: served.descriptors() <= before)


@contextlib.contextmanager
def half_sent(served: RunningServe, data: bytes) -> Iterator[BinaryIO]:
    """What is told to a client that opens a stream, sends this, and waits."""
    at = ("127.0.0.1", served.port("tcp"))
    with (
        socket.create_connection(at, timeout=TIMEOUT) as connection,
        connection.makefile("rb") as lines,
    ):
        connection.sendall(b'{"type":"open","encoding":"ogg"}\n' + data)
        assert json.loads(lines.readline())["type"] == "hello"
        yield lines


def test_a_header_that_never_ends_holds_nobody_up_and_ends_with_its_client(
    served: RunningServe, tagged: Tagged
) -> None:
    before = served.descriptors()
    half = tagged(2_000_000)[:600_000]
    with half_sent(served, half), half_sent(served, b""):
        told = heard(served.addresses["tcp"], tagged(1000))
    assert told[-1] == {"type": "bye", "reason": "end"}
    wait_until(lambda: served.descriptors() <= before)


def test_a_header_that_stops_is_idle(tagged: Tagged) -> None:
    half = tagged(2_000_000)[:600_000]
    with (
        running_serve("--idle-s", "1", kinds=("tcp",)) as served,
        half_sent(served, half) as lines,
    ):
        *_, last = map(json.loads, lines)
    assert last == {"type": "bye", "reason": "idle"}
