"""Three workers under one NATS server: streams are shared out, and outlive a worker."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_stream.client import AccessError, RefusedError, UnreachableError, send
from tests.helpers.brokers import (
    USER,
    Broker,
    free_port,
    nats_server,
    needs_nats,
    secure_nats_server,
)
from tests.helpers.fleet import Speaker, fleet, worker_id
from tests.helpers.protocol_schema import validate
from tests.helpers.running_serve import running_serve
from tests.helpers.scraped import figures, page
from tests.helpers.socket_server import wait_until

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
