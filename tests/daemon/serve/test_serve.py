"""Audio over real sockets: the same events as of a file, each client its own."""

import asyncio
import contextlib
import fcntl
import io
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from ser_stream.client import (
    AccessError,
    RefusedError,
    SentStream,
    UnreachableError,
    aio,
    send,
)
from tests.helpers.paths import MINUTE, ROOT
from tests.helpers.program import (
    ENVIRONMENT,
    error_line,
    messages,
    run,
    signalled,
    start,
)
from tests.helpers.protocol_schema import validate
from tests.helpers.running_serve import RunningServe, running_serve
from tests.helpers.socket_server import wait_until

SECONDS = 6
TIMEOUT = 60.0


@pytest.fixture(scope="module")
def served() -> Iterator[RunningServe]:
    with running_serve("--max-streams", "8", "--idle-s", "20") as served:
        yield served


@pytest.fixture(scope="module")
def speech() -> Any:
    samples, rate = soundfile.read(MINUTE, dtype="int16", frames=SECONDS * 16_000)
    assert rate == 16_000
    return samples


@pytest.fixture(scope="module")
def expected(speech: Any) -> list[tuple[Any, ...]]:
    """What `listen` says of the same samples."""
    done = run(
        "listen", "--input", "-", "--raw", "--format", "json", stdin=speech.tobytes()
    )
    assert done.returncode == 0
    return summary([json.loads(line) for line in done.stdout.splitlines()])


def summary(messages: list[Any]) -> list[tuple[Any, ...]]:
    """Events without what may differ between two ways to compute them."""
    return [
        (m["seq"], m["type"], m["end_ms"], m["label"], m.get("phase"), m.get("state"))
        for m in messages
        if "seq" in m
    ]


def raw(uri: str) -> socket.socket:
    """A connection to write to what we like."""
    host, _, port = uri.removeprefix("tcp://").rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.settimeout(TIMEOUT)
    return connection


def write_live(stream: SentStream, speech: Any) -> None:
    """For a minute, in real time."""
    for _ in range(600):
        stream.write(speech[:1600])
        time.sleep(0.1)


def pour(connection: socket.socket, data: bytes) -> None:
    """Write all of it, or as much as is taken before the end."""
    with contextlib.suppress(OSError):
        connection.sendall(data)


def answers(connection: socket.socket) -> list[dict[str, Any]]:
    """All lines until the daemon closes the connection, each of the schema."""
    with connection, connection.makefile("rb") as lines:
        return [validate(line) for line in lines]


@pytest.mark.parametrize("kind", ["tcp", "ws", "unix"])
def test_a_client_gets_the_events_of_its_own_audio(
    served: RunningServe, speech: Any, expected: list[tuple[Any, ...]], kind: str
) -> None:
    with send(served.addresses[kind], name="kitchen") as stream:
        for at in range(0, len(speech), 777):
            stream.write(speech[at : at + 777])
        stream.end()
        heard = list(stream.events(TIMEOUT))
    for message in heard:
        validate(message)
    assert summary(heard) == expected
    assert [m["type"] for m in heard[:2]] == ["hello", "snapshot"]
    assert heard[-1] == {"type": "bye", "reason": "end"}
    assert stream.hello["audio"]["source"] == "network"
    assert stream.hello["audio"]["device"] == "kitchen"


def test_encodings_rates_and_channels_are_what_the_client_says(
    served: RunningServe, speech: Any, expected: list[tuple[Any, ...]]
) -> None:
    floats = speech / np.float32(32768)
    options: dict[str, Any]
    with contextlib.ExitStack() as stack:
        streams = []
        for options, samples in (
            ({"encoding": "f32"}, floats),
            ({"encoding": "s32"}, (speech.astype("<i4") << 16).tobytes()),
            ({"channels": 2}, np.repeat(speech, 2).reshape(-1, 2)),
        ):
            stream = stack.enter_context(send(served.addresses["tcp"], **options))
            stream.write(samples)
            stream.end()
            streams.append(stream)
        for stream in streams:
            assert summary(list(stream.events(TIMEOUT))) == expected
        ids = {stream.hello["stream"] for stream in streams}
        assert len(ids) == len(streams)
    with send(served.addresses["ws"], rate=8000, encoding="mulaw", only=[]) as stream:
        stream.write(b"\xff" * 8000)
        stream.end()
        assert [m["type"] for m in stream.events(TIMEOUT)][-1] == "bye"


BAD = [
    (b'{"type":"open","rate":12}\n', "bad_message"),
    (b'{"type":"open","rate":"fast"}\n', "bad_message"),
    (b'{"type":"open","channels":99}\n', "bad_message"),
    (b'{"type":"open","encoding":"mp3"}\n', "bad_message"),
    (b'{"type":"open","encoding":"ogg","rate":48000}\n', "bad_message"),
    (b'{"type":"open","only":["all"]}\n', "bad_message"),
    (b'{"type":"subscribe"}\n', "unknown_type"),
    (b"GET / HTTP/1.1\r\n\r\n", "bad_json"),
    (b"\0" * 20_000, "bad_json"),
    (b'{"type":"open"}\n' + b"this is a text and no audio at all " * 100, "bad_audio"),
    (b'{"type":"open"}\nRIFF\x24\x08\x00\x00WAVEfmt ' + bytes(4000), "bad_audio"),
]


@pytest.mark.parametrize(("said", "code"), BAD)
def test_what_is_wrong_has_one_clear_answer(
    served: RunningServe, said: bytes, code: str
) -> None:
    connection = raw(served.addresses["tcp"])
    connection.sendall(said)
    *before, refusal, bye = answers(connection)
    assert {m["type"] for m in before} <= {"hello", "snapshot"}
    assert refusal["error"]["code"] == code
    assert refusal["error"]["text"]
    assert bye == {"type": "bye", "reason": "protocol"}


def test_websockets_are_told_what_is_wrong(served: RunningServe) -> None:
    uri = served.addresses["ws"]
    cases: list[tuple[list[str | bytes], str | None]] = [
        ([b"\0\0"], "bad_message"),
        (["hello"], "bad_json"),
        (['{"type":"open"}', "hello"], "bad_json"),
        (['{"type":"open"}', '{"type":"open"}'], "refused"),
        (['{"type":"open"}', b"\0" * 300_000], None),  # closed with 1009
    ]
    for said, code in cases:
        with connect(uri) as connection:
            heard = []
            with contextlib.suppress(ConnectionClosed):
                for message in said:
                    connection.send(message)
                while True:
                    heard.append(json.loads(connection.recv(timeout=TIMEOUT)))
        if code is not None:
            assert heard[-2]["error"]["code"] == code
            assert heard[-1] == {"type": "bye", "reason": "protocol"}
    with pytest.raises(InvalidStatus), connect(uri, origin=Origin("https://a.org")):
        pass


def test_damaged_audio_and_half_a_sample_are_a_gap_and_nothing_more(
    served: RunningServe, speech: Any
) -> None:
    floats = (speech / np.float32(32768)).astype("<f4")
    floats[20_000:20_100] = np.nan
    with send(served.addresses["tcp"], encoding="f32") as stream:
        stream.write(floats.tobytes() + b"\1\2")
        stream.end()
        heard = list(stream.events(TIMEOUT))
    states = [m["state"] for m in heard if m["type"] == "status"]
    assert states == ["overflow"]
    assert heard[-1] == {"type": "bye", "reason": "end"}


@pytest.mark.parametrize("good", [0, 16_000])
def test_a_stream_that_begins_with_no_numbers_is_told_so(
    served: RunningServe, good: int
) -> None:
    # As of a client that announces another encoding than it sends.
    floats = np.concatenate([np.full(16_000, np.nan), np.zeros(good)])
    with send(served.addresses["tcp"], encoding="f32") as stream:
        stream.write(floats)
        stream.end()
        heard = list(stream.events(TIMEOUT))
    said = [(m["state"], m["detail"]) for m in heard if m["type"] == "status"]
    assert said == [("overflow", "1.000 s of audio were lost")]
    assert heard[-1] == {"type": "bye", "reason": "end"}


def test_a_flood_is_held_back_and_disturbs_nobody(
    served: RunningServe, speech: Any, expected: list[tuple[Any, ...]]
) -> None:
    # Never reads, and sends all it can: first faster than anybody speaks.
    flood = raw(served.addresses["tcp"])
    flood.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    flood.sendall(b'{"type":"open","rate":192000,"channels":8}\n')
    flood.settimeout(1.0)
    sent, data = 0, bytes(1 << 20)
    with contextlib.suppress(TimeoutError):
        while sent < 4 << 30:
            sent += flood.send(data)
    assert sent < 4 << 30
    with send(served.addresses["unix"]) as stream:
        stream.write(speech)
        stream.end()
        assert summary(list(stream.events(TIMEOUT))) == expected
    flood.close()


def test_those_that_vanish_leave_nothing_behind(
    served: RunningServe, speech: Any
) -> None:
    before = served.descriptors()
    for number in range(12):
        kind = ("tcp", "ws", "unix")[number % 3]
        wait_until(lambda: served.descriptors() < before + 6)
        stream = send(served.addresses[kind])
        stream.write(speech)
        stream.close()
    wait_until(lambda: served.descriptors() <= before)


def test_limits_are_told_and_the_end_is_in_order(speech: Any) -> None:
    limits = ("--max-streams", "2", "--idle-s", "1", "--max-s", "2.5")
    token = {"SER_STREAM_TOKEN": "0123456789abcdef"}
    with running_serve(*limits, environment=token) as served:
        tcp, ws, unix = (served.addresses[kind] for kind in ("tcp", "ws", "unix"))
        for uri in (tcp, ws):
            with pytest.raises(AccessError, match="token"):
                send(uri, token="wrong-token")
        right: dict[str, Any] = {"token": token["SER_STREAM_TOKEN"]}
        with send(unix) as idle, send(ws, **right) as long:
            with pytest.raises(UnreachableError, match="2 streams already"):
                send(tcp, **right)
            idle.write(speech[:32_000])
            with pytest.raises(UnreachableError, match="too_long"):
                write_live(long, speech)
            assert list(idle.events(TIMEOUT))[-1] == {"type": "bye", "reason": "idle"}
            heard = list(long.events(TIMEOUT))
            assert heard[-1] == {"type": "bye", "reason": "too_long"}
        with send(tcp, **right) as last:
            last.write(speech)
            wait_until(lambda: any(m["type"] == "emotion" for m in last.events(0)))
            assert served.stop() == 0
            *_, emotion, bye = list(last.events(TIMEOUT))
            assert emotion["type"] == "emotion"
            assert emotion["phase"] == "end"
            assert bye == {"type": "bye", "reason": "shutdown"}
        assert "Traceback" not in served.log.read_text()


def test_a_bad_request_of_the_client_is_an_error(served: RunningServe) -> None:
    with pytest.raises(RefusedError, match="rate is 3; allowed"):
        send(served.addresses["tcp"], rate=3)
    assert "Traceback" not in served.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no address"),
        (("--listen", "stdout:"), "allowed are unix:///PATH"),
        (("--listen", "tcp://0.0.0.0:0"), "token"),
        (("--listen", "tcp://127.0.0.1:0", "--max-streams", "0"), "1 to 10000"),
        (("--listen", "tcp://127.0.0.1:0", "--idle-s", "0"), "--idle-s"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    arguments: tuple[str, ...], said: str
) -> None:
    done = run("serve", *arguments)
    assert done.returncode in (2, 5)
    assert said in error_line(done)


def test_the_command_sends_a_file_and_prints_what_comes(
    served: RunningServe, expected: list[tuple[Any, ...]]
) -> None:
    uri = served.addresses["ws"]
    done = run("send", MINUTE, uri, "--pace", "fast", "--only", "emotion")
    assert done.returncode == 0
    heard = [validate(line) for line in done.stdout.splitlines()]
    began = [m for m in heard if m["type"] == "emotion" and m["phase"] == "start"]
    assert began[0]["label"] == next(e[3] for e in expected if e[4] == "start")
    assert heard[-1] == {"type": "bye", "reason": "end"}
    done = run("send", MINUTE, "tcp://127.0.0.1:1")
    assert (done.returncode, "cannot connect" in error_line(done)) == (5, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_the_command_sends_in_order(
    served: RunningServe, number: signal.Signals
) -> None:
    uri = served.addresses["tcp"]
    with start("send", MINUTE, uri, "--only", "emotion") as process:
        said, errors = signalled(process, number, b'"phase":"start"')
    assert (process.returncode, errors) == (0, b"")
    last = messages(said)[-2:]
    assert (last[0]["type"], last[0]["phase"]) == ("emotion", "end")
    assert last[1] == {"type": "bye", "reason": "end"}


def unread_bytes(process: "subprocess.Popen[bytes]") -> int:
    """How much waits in the pipe that is its standard output."""
    assert process.stdout is not None
    found = fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4))
    return int.from_bytes(found, sys.byteorder)


@pytest.mark.parametrize("unheard", ["daemon", "reader"])
def test_what_is_not_told_in_time_does_not_keep_the_command(unheard: str) -> None:
    with (
        running_serve(kinds=("tcp",)) as served,
        start("send", MINUTE, served.addresses["tcp"], "--pace", "fast") as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"hello" in process.stdout.readline()
        if unheard == "daemon":
            served.process.send_signal(signal.SIGSTOP)
        else:
            wait_until(lambda: unread_bytes(process) > 60_000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert b"left before the end of the stream was told" in process.stderr.read()


def test_a_recording_that_is_cut_short_gives_the_command_status_1(
    served: RunningServe, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.flac"
    cut.write_bytes(MINUTE.read_bytes()[:30_000])
    done = run("send", cut, served.addresses["tcp"], "--pace", "fast")
    assert done.returncode == 1
    assert "cut short" in error_line(done)
    assert json.loads(done.stdout.splitlines()[-1])["reason"] == "end"


def test_a_reader_of_standard_output_that_leaves_is_told(speech: Any) -> None:
    with running_serve("--to", "stdout:", kinds=("unix",), unread=True) as served:
        with send(served.addresses["unix"]) as stream:
            stream.write(speech)
            stream.end()
            assert list(stream.events(TIMEOUT))
        wait_until(lambda: "its reader has left" in served.log.read_text())
        assert served.stop() == 0


def test_outputs_get_the_events_of_all_streams_with_their_names(speech: Any) -> None:
    with running_serve("--to", "stdout:", kinds=("unix",)) as served:
        for name in ("kitchen", "hall"):
            with send(served.addresses["unix"], name=name) as stream:
                stream.write(speech)
                stream.end()
                assert list(stream.events(TIMEOUT))
        assert served.stop() == 0
        lines = [x for x in served.log.read_text().splitlines() if x.startswith("{")]
    heard = [json.loads(line) for line in lines]
    begun = [(m["source"], m["type"]) for m in heard if m["type"] == "hello"]
    assert begun[0] == ("kitchen", "hello")
    assert {m["source"] for m in heard if m["type"] == "emotion"} == {"kitchen", "hall"}
    gone = [validate(line.encode())["source"] for line in lines if '"bye"' in line]
    assert gone == ["kitchen", "hall"]


def speak_to_an_emotion(
    write: Callable[[bytes], object], told: Iterable[str | bytes], speech: Any
) -> None:
    """Speak four times as fast as people do, until the client is told of an emotion."""
    over = threading.Event()

    def speak() -> None:
        for at in range(0, len(speech), 3200):
            if over.wait(0.05):
                return
            write(speech[at : at + 3200].tobytes())

    thread = threading.Thread(target=speak)
    thread.start()
    next(line for line in told if json.loads(line)["type"] == "emotion")
    over.set()
    thread.join()


@pytest.mark.parametrize(("how", "why"), [("vanishes", "end"), ("errs", "protocol")])
def test_outputs_get_the_end_of_an_emotion_whose_client_is_gone(
    speech: Any, how: str, why: str
) -> None:
    opening = '{"type":"open","name":"living room, \u5ba2\u5385"}\n'
    with running_serve("--to", "stdout:", kinds=("tcp", "ws")) as served:
        if how == "vanishes":
            with raw(served.addresses["tcp"]) as connection:
                connection.sendall(opening.encode())
                with connection.makefile("rb") as told:
                    speak_to_an_emotion(connection.sendall, told, speech)
                reset = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        else:
            with connect(served.addresses["ws"]) as websocket:
                websocket.send(opening)
                speak_to_an_emotion(websocket.send, websocket, speech)
                websocket.send('{"type":"opn"}')
                assert "unknown" in list(websocket)[-2]
        wait_until(lambda: '"bye"' in served.log.read_text())
        assert served.stop() == 0
        lines = [x for x in served.log.read_text().splitlines() if x.startswith("{")]
    heard = [validate(line.encode()) for line in lines]
    assert {m["source"] for m in heard} == {"living-room"}
    assert all(list(m)[1] == "source" for m in heard)
    phases = {
        phase: [m["id"] for m in heard if m.get("phase") == phase]
        for phase in ("start", "end")
    }
    assert phases["start"] == phases["end"] != []
    assert (heard[-1]["type"], heard[-1]["reason"]) == ("bye", why)


def test_opus_in_ogg_is_heard_as_it_comes(
    served: RunningServe, speech: Any, expected: list[tuple[Any, ...]]
) -> None:
    made = io.BytesIO()
    soundfile.write(made, speech, 16_000, format="OGG", subtype="OPUS")
    data = made.getvalue()
    with send(served.addresses["tcp"], encoding="ogg") as stream:
        for at in range(0, len(data), 500):
            stream.write(data[at : at + 500])
        stream.end()
        heard = list(stream.events(TIMEOUT))
    assert heard[-1] == {"type": "bye", "reason": "end"}
    told = summary(heard)
    assert len(told) >= len(expected) - 3
    started = [e[3] for e in told if e[4] == "start"]
    assert started == [e[3] for e in expected if e[4] == "start"]
    hellos = [m for m in heard if m["type"] == "hello"]
    assert [m["audio"]["device_rate"] for m in hellos] == [0, 16_000]

    before = served.descriptors()
    for wrong in (b"no ogg at all", data[:2000] + b"?" * 5000, data[:60] + data[400:]):
        connection = raw(served.addresses["tcp"])
        connection.sendall(b'{"type":"open","encoding":"ogg"}\n' + wrong)
        connection.shutdown(socket.SHUT_WR)
        *_, refusal, bye = answers(connection)
        assert refusal["error"]["code"] == "bad_audio"
        assert bye == {"type": "bye", "reason": "protocol"}
    with send(served.addresses["ws"], encoding="ogg") as stream:
        stream.write(data[:4000])  # and vanishes
    wait_until(lambda: served.descriptors() <= before)


def test_the_example_of_the_documentation_sends_a_file(
    served: RunningServe, speech: Any, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "talk.wav", speech[: 16_000 * 3], 16_000)
    script = ROOT / "docs" / "examples" / "send.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path / "talk.wav", served.addresses["unix"]],
        capture_output=True,
        env=ENVIRONMENT,
        timeout=120,
        check=True,
        text=True,
    )
    assert re.fullmatch(r"20\S+Z fear 0\.\d+\n", done.stdout)


def test_a_recording_whose_reader_sleeps_waits_and_a_stop_does_not(speech: Any) -> None:
    with running_serve("--idle-s", "60", kinds=("tcp",)) as served:
        stream = raw(served.addresses["tcp"])
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.sendall(b'{"type":"open"}\n')
        data = speech.tobytes() * 60  # six minutes: 1800 steps
        with stream, stream.makefile("rb") as lines:
            threading.Thread(target=pour, args=(stream, data), daemon=True).start()
            time.sleep(1.5)  # now it is held
            heard = [json.loads(lines.readline()) for _ in range(1000)]
            assert not any(m["type"] == "dropped" for m in heard)
            time.sleep(1.0)
            assert served.stop(within=30) == 0
        assert "Traceback" not in served.log.read_text()


def test_asyncio_programs_write_and_read_at_once(
    served: RunningServe, speech: Any, expected: list[tuple[Any, ...]]
) -> None:
    async def converse(uri: str) -> list[Any]:
        async with aio.send(uri, name="async") as stream:
            assert stream.hello["audio"]["device"] == "async"

            async def speak() -> None:
                for at in range(0, len(speech), 1600):
                    await stream.write(speech[at : at + 1600])
                stream.end()

            speaking = asyncio.create_task(speak())
            heard = [message async for message in stream]
            await speaking
            return heard

    for kind in ("ws", "tcp"):
        heard = asyncio.run(converse(served.addresses[kind]))
        assert summary(heard) == expected
        assert heard[-1] == {"type": "bye", "reason": "end"}

    async def refused() -> None:
        async with aio.send(served.addresses["unix"], channels=9):
            pass

    with pytest.raises(RefusedError, match="channels is 9"):
        asyncio.run(refused())
