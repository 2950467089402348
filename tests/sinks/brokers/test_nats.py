"""Subjects, a server's return, TLS and refusals, at a real nats-server."""

import asyncio
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import nats
import pytest
from nats.aio.msg import Msg

from ser_stream.errors import ConfigError, SinkError
from ser_stream.pipeline.values import AudioState
from ser_stream.protocol.messages import Message, snapshot
from ser_stream.sinks import Publisher, SinkOptions, open_sinks
from ser_stream.sinks.brokers.nats import default_source
from ser_stream.sinks.brokers.nats_server import taken
from ser_stream.sinks.brokers.settings import BrokerSettings
from tests.helpers.brokers import (
    PASSWORD,
    USER,
    nats_server,
    needs_nats,
    secure_nats_server,
)
from tests.helpers.protocol_schema import validate
from tests.helpers.socket_server import (
    emotion,
    hello,
    prediction,
    status,
    wait_until,
)

pytestmark = needs_nats


def publish(uri: str, **options: object) -> Publisher:
    (sink,) = open_sinks([uri], SinkOptions(**options))  # type: ignore[arg-type]
    assert isinstance(sink, Publisher)
    return sink


async def come_true(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, condition, 20)


def test_each_message_has_its_subject_and_a_return_is_told(tmp_path: Path) -> None:
    with nats_server(tmp_path) as broker:
        sink = publish(f"nats://127.0.0.1:{broker.port}/house/kitchen")

        async def subscribe() -> None:
            heard: list[tuple[str, bytes]] = []

            async def take(message: Msg) -> None:
                heard.append((message.subject.split(".", 2)[2], message.data))

            back = asyncio.Event()

            async def returned() -> None:
                back.set()

            client = await nats.connect(
                f"nats://127.0.0.1:{broker.port}",
                reconnect_time_wait=0.02,
                reconnected_cb=returned,
            )
            await client.subscribe("house.kitchen.>", cb=take)
            await taken(client, 20)
            for message in (hello(), prediction(1), emotion(2, "start")):
                sink.send(Message({**message.fields, "source": "my desk"}))
            # What is known is also said whenever a connection begins.
            await come_true(lambda: heard and heard[-1][0] == "my_desk.emotion")
            subjects = [subject for subject, _ in heard]
            assert list(dict.fromkeys(subjects)) == [
                "my_desk.hello",
                "my_desk.prediction",
                "my_desk.emotion",
            ]
            broker.stop(signal.SIGKILL)
            await come_true(lambda: not sink.links[0].connected)
            sink.send(prediction(3))
            await come_true(lambda: sink.links[0].dropped == 1)
            broker.start()
            await come_true(lambda: sink.links[0].connected)
            await asyncio.wait_for(back.wait(), 20)
            await taken(client, 20)
            heard.clear()
            sink.send(snapshot(0, "no_speech", None, AudioState.HEALTHY))
            # Without a name: this machine's.
            own = f"{default_source()}.snapshot"
            await come_true(lambda: own in dict(heard))
            assert validate(dict(heard)[own])["audio"] == "healthy"
            await client.close()

        try:
            wait_until(lambda: sink.links[0].connected, 20)
            asyncio.run(subscribe())
        finally:
            sink.close()


def test_an_emotion_is_sent_when_the_server_has_it(tmp_path: Path) -> None:
    with nats_server(tmp_path) as broker:
        sink = publish(f"nats://127.0.0.1:{broker.port}/house")
        try:
            wait_until(lambda: sink.links[0].connected, 20)
            for message in (hello(), emotion(1, "start")):
                sink.send(message)
            wait_until(lambda: sink.links[0].sent == 1, 20)
            told = re.findall(r"<<- \[(PUB \S+|PING)", broker.log.read_text())
        finally:
            sink.close()
    # Whatever comes before a ping has arrived when that is answered.
    published = told.index(f"PUB house.{default_source()}.emotion")
    assert "PING" in told[published:]


def test_tls_and_refusals(tmp_path: Path) -> None:
    with secure_nats_server(tmp_path) as broker:
        uri = f"tls://localhost:{broker.port}/safe"
        right = BrokerSettings(
            user=USER,
            password_file=str(broker.password_file),
            ca_file=str(broker.ca_file),
        )
        sink = publish(uri, broker=right, password=right.password)
        wait_until(lambda: sink.links[0].connected, 20)
        sink.close()
        refused(
            uri, right, "guessed", r"refuses user desk \(.*\); check broker.user and"
        )
        refused(uri, BrokerSettings(), None, r"that is not trusted \(.*\); set broker")


def test_a_subject_that_is_not_for_us_is_told(tmp_path: Path) -> None:
    with secure_nats_server(tmp_path, tls=False) as broker:
        broker.stop()
        uri = f"nats://127.0.0.1:{broker.port}/closed"
        sink = publish(uri, broker=BrokerSettings(user=USER), password=lambda: PASSWORD)
        try:
            sink.send(hello())
            broker.start()
            wait_until(lambda: sink.links[0].detail.startswith("refuses"), 20)
            detail = sink.links[0].detail
            assert "refuses user desk (permissions violation for publish" in detail
            assert "and what the broker allows" in detail
            assert (sink.links[0].connected, sink.links[0].sent) == (False, 0)
        finally:
            sink.close()


def test_a_message_that_is_not_for_us_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with secure_nats_server(tmp_path, tls=False) as broker:
        uri = f"nats://127.0.0.1:{broker.port}/open"
        sink = publish(uri, broker=BrokerSettings(user=USER), password=lambda: PASSWORD)
        try:
            wait_until(lambda: sink.links[0].connected, 20)
            for message in (hello(), status(1, "lost"), emotion(2, "start")):
                sink.send(message)
            wait_until(lambda: sink.links[0].sent == 1, 20)
            assert sink.links[0].dropped == 1
            assert sink.links[0].connected
        finally:
            sink.close()
    (told,) = [r.message for r in caplog.records if " refuses " in r.message]
    assert re.search(r'refuses permissions violation for publish to ".*\.status"', told)


def refused(
    uri: str, settings: BrokerSettings, password: str | None, said: str
) -> None:
    """Whether the sink ends, and says that."""
    sink = publish(uri, broker=settings, password=lambda: password)
    try:
        wait_until(lambda: sink.closed, 20)
        assert re.search(said, str(sink.error)), sink.error
    finally:
        sink.close()


def test_a_prefix_that_is_no_subject_is_refused() -> None:
    with pytest.raises(ConfigError, match="a subject has no empty part"):
        open_sinks(["nats://localhost/house..desk"], SinkOptions())


def test_what_of_a_recording_never_arrived_is_told_and_ends_the_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    sink = publish(f"nats://127.0.0.1:{port}/house", live=False)
    for message in (hello(), prediction(1), emotion(2, "start")):
        sink.send(message)
    sink.close()
    assert isinstance(sink.error, SinkError)
    assert "2 events were not delivered; is not reached: " in str(sink.error)
