"""Three workers under one NATS server: streams are shared out, and outlive a worker."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from nats.aio.client import Client
from nats.aio.msg import Msg

from ser_stream.client import (
    AccessError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    send,
)
from ser_stream.sources.decoders.encoding import RawEncoding
from tests.helpers.brokers import (
    USER,
    Broker,
    free_port,
    nats_server,
    needs_nats,
    secure_nats_server,
)
from tests.helpers.fleet import Speaker, fleet, worker_id
from tests.helpers.paths import MINUTE
from tests.helpers.protocol_schema import validate
from tests.helpers.running_serve import running_serve
from tests.helpers.scraped import figures, page
from tests.helpers.socket_server import hello, wait_until

pytestmark = [needs_nats, pytest.mark.alone]
WORKERS, STREAMS = 3, 4


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


def test_streams_move_when_their_worker_is_killed_and_when_it_ends(
    broker: Broker,
) -> None:
    uri = f"nats://127.0.0.1:{broker.port}/fleet"
    with fleet(uri, WORKERS) as workers, contextlib.ExitStack() as stack:
        by_id = {worker_id(worker): worker for worker in workers}
        speakers = [stack.enter_context(Speaker(uri, f"{n}")) for n in range(STREAMS)]
        wait_until(lambda: all(s.count("prediction") for s in speakers))
        with pytest.raises(RefusedError, match="rate is 7"):
            send(uri, rate=7)
        first = speakers[0]
        there = [speaker.worker for speaker in speakers]
        assert set(there) <= by_id.keys()
        by_id[first.worker].process.kill()
        affected = [s for s, at in zip(speakers, there, strict=True) if at == there[0]]
        wait_until(lambda: all(s.count("status") == 1 for s in affected))
        assert all(s.streams == 2 and s.worker != there[0] for s in affected)
        # Whoever was elsewhere has noticed nothing.
        assert all(s.streams == 1 for s in speakers if s not in affected)
        heard = first.count("prediction")
        wait_until(lambda: first.count("prediction") > heard)
        assert by_id[first.worker].stop() == 0
        wait_until(lambda: first.streams == 3 and first.count("status") == 2)
    for speaker in speakers:
        messages = speaker.messages
        assert messages[-1] == {"type": "bye", "reason": "end"}
        assert all(validate(json.dumps(m).encode()) for m in messages)
        told = [m for m in messages if m["type"] == "status"]
        assert {m["state"] for m in told} <= {"overflow"}
        assert all("before this stream came here" in m["detail"] for m in told)


@contextlib.contextmanager
def listening_worker(port: int, protocol: int = 1) -> Iterator[list[bytes]]:
    """Takes what a client at PREFIX `pieces` sends, message by message."""
    pieces: list[bytes] = []
    there, over = threading.Event(), threading.Event()

    async def work() -> None:
        client = Client()
        await client.connect(f"nats://127.0.0.1:{port}")

        async def opened(message: Msg) -> None:
            placed = {"type": "placed", "worker": "w", "audio": "pieces.audio.w.1"}
            for said in (placed, {**hello().fields, "protocol": protocol}):
                await client.publish(message.reply, json.dumps(said).encode())

        async def audio(message: Msg) -> None:
            pieces.append(message.data)

        await client.subscribe("pieces.open", cb=opened)
        await client.subscribe("pieces.audio.w.*", cb=audio)
        await client.flush()
        there.set()
        await asyncio.to_thread(over.wait)
        await client.close()

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    try:
        assert there.wait(30)
        yield pieces
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("encoding", "rate", "channels", "frame"),
    [("s16", 11_025, 1, 2), ("s24", 48_000, 2, 6), ("mulaw", 4001, 3, 3)],
)
def test_each_message_has_whole_frames_so_that_any_may_be_lost(
    broker: Broker, encoding: RawEncoding, rate: int, channels: int, frame: int
) -> None:
    data = bytes(range(256)) * (rate * frame // 256)
    with listening_worker(broker.port) as pieces:
        uri = f"nats://127.0.0.1:{broker.port}/pieces"
        with send(uri, encoding=encoding, rate=rate, channels=channels) as stream:
            stream.write(data[: frame * 1000 + 1])
            stream.write(data[frame * 1000 + 1 : -1])
            stream.end()
            wait_until(lambda: b"" in pieces)
    assert {len(piece) % frame for piece in pieces} == {0}
    assert len(pieces) > 3
    assert b"".join(pieces) == data[: (len(data) - 1) // frame * frame]


def test_a_worker_of_another_protocol_is_an_error(broker: Broker) -> None:
    with (
        listening_worker(broker.port, protocol=2),
        pytest.raises(ProtocolError, match="speaks protocol 2"),
    ):
        send(f"nats://127.0.0.1:{broker.port}/pieces")


def test_what_comes_too_fast_leaves_a_gap_and_is_told(broker: Broker) -> None:
    """By a client that does not wait, as ours does."""
    uri = f"nats://127.0.0.1:{broker.port}/flood"
    speech, rate = soundfile.read(MINUTE, dtype="int16")
    told: list[dict[str, Any]] = []

    async def flood() -> None:
        client = Client()
        await client.connect(f"nats://127.0.0.1:{broker.port}")
        placed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        computed, ended = asyncio.Event(), asyncio.Event()

        async def hear(message: Msg) -> None:
            fields = json.loads(message.data)
            if fields["type"] == "placed":
                placed.set_result(fields["audio"])
            elif fields["type"] != "alive":
                told.append(fields)
                if fields.get("end_ms", 0) > 1500:
                    computed.set()
                if fields["type"] == "bye":
                    ended.set()

        await client.subscribe("flood.told", cb=hear)
        await client.publish("flood.open", b'{"type":"open"}', reply="flood.told")
        audio = await placed
        step = rate // 5
        for at in range(0, 20 * rate, step):
            await client.publish(audio, speech[at : at + step].tobytes())
        await client.flush()
        await computed.wait()
        # What waited, two seconds of it, is computed at once.
        await asyncio.sleep(2)
        for at in range(20 * rate, 22 * rate, step):
            await client.publish(audio, speech[at : at + step].tobytes())
            await asyncio.sleep(0.1)
        await client.publish(audio, b"")
        await ended.wait()
        await client.close()

    with running_serve(kinds=(), listen=(uri,)) as worker:
        assert worker_id(worker)
        asyncio.run(asyncio.wait_for(flood(), 60))
    lost = [m for m in told if m["type"] == "status"]
    assert lost
    assert all((m["what"], m["state"]) == ("audio", "overflow") for m in lost)
    assert sum(float(m["detail"].split()[0]) for m in lost) > 10
    ends = [m["end_ms"] for m in told if m["type"] == "prediction"]
    # The count keeps to what was spoken.
    assert ends[-1] == pytest.approx(22_000, abs=200)
    assert all(validate(json.dumps(m).encode()) for m in told)


def test_where_no_worker_is_the_client_says_so(broker: Broker) -> None:
    uri = f"nats://127.0.0.1:{broker.port}/nobody"
    with pytest.raises(UnreachableError, match="no worker has room, or none is there"):
        send(uri, timeout=1)


def test_who_is_refused_is_told_what_to_set(tmp_path: Path) -> None:
    with secure_nats_server(tmp_path, tls=False) as locked:
        uri = f"nats://127.0.0.1:{locked.port}/fleet"
        with pytest.raises(AccessError, match="without a token; SER_STREAM_TOKEN"):
            send(uri)
        with pytest.raises(AccessError, match="refuses the token"):
            send(uri, token="guessed")
        with running_serve(kinds=(), listen=(uri,)) as worker:
            wait_until(lambda: "refuses us without a user" in worker.log.read_text())
            assert worker.stop() == 0


def test_a_worker_that_cannot_be_asked_says_why(tmp_path: Path) -> None:
    with secure_nats_server(tmp_path, tls=False) as broker:
        uri = f"nats://127.0.0.1:{broker.port}/closed"
        settings = (f"user={USER}", f"password_file={broker.password_file}")
        flags = [word for one in settings for word in ("--set", f"broker.{one}")]
        with running_serve(*flags, kinds=(), listen=(uri,)) as worker:
            said = "refuses user desk (permissions violation for subscription"
            wait_until(lambda: said in worker.log.read_text())
            assert "connected to worker" not in worker.log.read_text()
            assert worker.stop() == 0


def test_the_figures_of_a_worker_tell_of_its_broker_and_its_streams(
    broker: Broker,
) -> None:
    pytest.importorskip("prometheus_client")
    uri, port = f"nats://127.0.0.1:{broker.port}/figures", free_port()
    metrics = ("--metrics", f"127.0.0.1:{port}")
    with running_serve(*metrics, kinds=(), listen=(uri,)) as worker:
        wait_until(lambda: page(port, "/readyz").status == 200)
        assert figures(port)[f'ser_stream_broker_connected{{address="{uri}"}}'] == 1
        with Speaker(uri):
            wait_until(lambda: figures(port)["ser_stream_steps_total"] > 0)
            assert figures(port)['ser_stream_streams{kind="nats"}'] == 1
        ended = 'ser_stream_streams_ended_total{reason="end"}'
        wait_until(lambda: figures(port).get(ended) == 1)
        assert worker.stop() == 0
