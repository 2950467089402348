"""Messages, retained state, availability and a broker's return, at a real mosquitto."""

import contextlib
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ser_stream.client import control
from ser_stream.config import resolve
from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import AudioState
from ser_stream.protocol.messages import Message, bye, snapshot
from ser_stream.sinks import Publisher, SinkOptions, open_sinks
from ser_stream.sinks.brokers import mqtt
from ser_stream.sinks.brokers.settings import BrokerSettings
from tests.helpers.brokers import (
    USER,
    Broker,
    MqttReader,
    mosquitto,
    needs_mosquitto,
)
from tests.helpers.paths import MINUTE
from tests.helpers.program import error_line, run, start
from tests.helpers.protocol_schema import validate
from tests.helpers.running_daemon import running_daemon
from tests.helpers.socket_server import (
    emotion,
    hello,
    prediction,
    status,
    wait_until,
)

pytestmark = needs_mosquitto


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with mosquitto(tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


@contextlib.contextmanager
def publishing(uri: str, **options: Any) -> Iterator[Publisher]:
    """A sink that is connected, and has said `hello` and `snapshot`."""
    (sink,) = open_sinks([uri], SinkOptions(**options))
    assert isinstance(sink, Publisher)
    try:
        sink.send(hello())
        sink.send(snapshot(0, "no_speech", None, AudioState.HEALTHY))
        wait_until(lambda: sink.links[0].connected, 20)
        yield sink
    finally:
        sink.close()


def of(source: str, message: Message) -> Message:
    return Message({**message.fields, "source": source})


def states(reader: MqttReader, place: str) -> dict[str, str]:
    """The last of what is retained there."""
    begin = f"{place}/state/"
    return {k[len(begin) :]: v for k, v in reader.last.items() if k.startswith(begin)}


def test_readers_get_each_message_and_late_ones_what_holds(broker: Broker) -> None:
    uri = f"mqtt://127.0.0.1:{broker.port}/house/desk"
    with MqttReader(broker.port, "house/#") as early:
        with publishing(uri) as sink:
            sink.send(prediction(1))
            sink.send(emotion(2, "start"))
            heard = early.wait("house/desk/emotion")
            assert validate(heard.payload.encode()) == emotion(2, "start").fields
            assert validate(early.wait("house/desk/prediction").payload.encode())
            with MqttReader(broker.port, "house/#") as late:
                late.wait("house/desk/availability", "online")
                late.wait("house/desk/hello")
                late.wait("house/desk/state/level")
                assert all(heard.retained for heard in late.heard)
                assert states(late, "house/desk") == {
                    "emotion": "angry",
                    "confidence": "74",
                    "level": "-23.1",
                    "connectivity": "ON",
                }
                assert validate(late.last["house/desk/hello"].encode())
                sink.send(status(3, "lost"))
                late.wait("house/desk/state/connectivity", "OFF")
                late.wait("house/desk/state/level", "None")
                assert states(late, "house/desk")["emotion"] == "none"
            sink.send(bye("shutdown"))
        early.wait("house/desk/availability", "offline")
        order = [h.topic for h in early.heard]
        assert order.index("house/desk/bye") < len(order) - 1
        assert (sink.links[0].dropped, sink.links[0].sent) == (0, 3)


def test_each_source_has_topics_of_its_own(broker: Broker) -> None:
    with (
        MqttReader(broker.port, "two/#") as reader,
        publishing(f"mqtt://127.0.0.1:{broker.port}/two") as sink,
    ):
        for name in ("left", "a/b"):
            sink.send(of(name, hello()))
            sink.send(
                of(name, emotion(1, "start", "sad" if name == "left" else "fear"))
            )
        reader.wait("two/left/state/emotion", "sad")
        reader.wait("two/a_b/state/emotion", "fear")
        assert reader.wait("two/left/emotion").fields["source"] == "left"
        sink.send(of("left", bye("end")))
        # Empty is what a broker does not retain any more.
        kept = ("hello", *(f"state/{what}" for what in states(reader, "two/left")))
        for topic in kept:
            reader.wait(f"two/left/{topic}", "")
        with MqttReader(broker.port, "two/#") as late:
            late.wait("two/a_b/hello")
            late.wait("two/availability", "online")
            assert not [m for m in late.heard if m.retained and "/left/" in m.topic]


def test_after_its_return_a_broker_retains_what_holds_then(broker: Broker) -> None:
    with (
        MqttReader(broker.port, "back/#") as reader,
        publishing(f"mqtt://127.0.0.1:{broker.port}/back") as sink,
    ):
        sink.send(emotion(1, "start", "sad"))
        reader.wait("back/state/emotion", "sad")
        # In order, so that it knows the reader again, and keeps for it what it missed.
        broker.stop()
        wait_until(lambda: not sink.links[0].connected)
        for seq in range(2, 6):
            sink.send(prediction(seq))
        sink.send(emotion(6, "end", "sad"))
        sink.send(emotion(7, "start", "happy"))
        wait_until(lambda: sink.links[0].dropped == 4)
        broker.start()
        reader.wait_for(lambda m: m.topic == "back/emotion" and m.fields["seq"] == 7)
        told = reader.wait("back/dropped").fields
        assert (told["count"], told["from_seq"], told["to_seq"]) == (4, 2, 5)
        seqs = [m.fields["seq"] for m in reader.heard if m.topic == "back/emotion"]
        assert seqs == [1, 6, 7]
        with MqttReader(broker.port, "back/#") as late:
            late.wait("back/availability", "online")
            assert late.wait("back/state/emotion").payload == "happy"


def test_a_broker_that_takes_no_message_is_told(broker: Broker) -> None:
    uri = f"mqtt://127.0.0.1:{broker.port}/closed/desk"
    (sink,) = open_sinks([uri], SinkOptions())
    assert isinstance(sink, Publisher)
    try:
        sink.send(hello())
        wait_until(lambda: sink.closed, 20)
        said = r"refuses us without a user \(closed/desk/\S+: Not authorized\); check "
        assert re.search(said, str(sink.error)), sink.error
        assert (sink.links[0].connected, sink.links[0].sent) == (False, 0)
    finally:
        sink.close()


def test_one_that_does_not_let_home_assistant_know_gets_all_else(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    settings = BrokerSettings(discovery_prefix="closed")
    uri = f"mqtt://127.0.0.1:{broker.port}/open"
    with (
        MqttReader(broker.port, "open/#") as reader,
        publishing(uri, broker=settings) as sink,
    ):
        sink.send(emotion(1, "start"))
        reader.wait("open/emotion")
        wait_until(lambda: sink.links[0].sent == 1)
    told = [
        r.message for r in caplog.records if "broker.discovery = false" in r.message
    ]
    assert len(told) == 1
    assert re.search(r"refuses closed/device/\S+: Not authorized", told[0])


def test_a_message_that_is_refused_stops_no_other(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with publishing(f"mqtt://127.0.0.1:{broker.port}/part") as sink:
        for message in (status(1, "lost"), emotion(2, "start"), emotion(3)):
            sink.send(message)
        wait_until(lambda: sink.links[0].sent == 2)
        assert (sink.links[0].connected, sink.links[0].dropped) == (True, 1)
    (told,) = [r.message for r in caplog.records if " refuses " in r.message]
    assert told.endswith("/part refuses part/status: Not authorized")


def test_no_connection_is_left_to_a_broker_that_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (sink,) = open_sinks([f"mqtt://127.0.0.1:{port}/desk"], SinkOptions())
        try:
            for _ in range(3):
                connection, _ = silent.accept()
                with connection:
                    connection.settimeout(20)
                    while connection.recv(4096):
                        pass  # until it is closed
        finally:
            sink.close()


def test_nor_where_the_program_ends_while_it_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (sink,) = open_sinks([f"mqtt://127.0.0.1:{port}/desk"], SinkOptions())
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(4096)
            sink.close()
            connection.settimeout(20)
            while connection.recv(4096):
                pass
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == []


def test_tls_and_a_password_from_a_file(broker: Broker) -> None:
    settings = BrokerSettings(
        user=USER, password_file=str(broker.password_file), ca_file=str(broker.ca_file)
    )
    uri = f"mqtts://localhost:{broker.secure_port}/safe"
    with (
        MqttReader(broker.port, "safe/#") as reader,
        publishing(uri, broker=settings, password=settings.password),
    ):
        reader.wait("safe/availability", "online")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ("user=desk", "password_file={wrong}", "ca_file={folder}/ca.pem"),
            r"refuses user desk \(Not authorized\); check broker.user and "
            "broker.password_file",
        ),
        (
            ("user=desk", "password_file={folder}/password"),
            r"has a certificate that is not trusted \(.*\); set broker.ca_file",
        ),
    ],
)
def test_a_broker_that_refuses_is_one_clear_line(
    broker: Broker, tmp_path: Path, settings: tuple[str, ...], said: str
) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("guessed")
    values = [s.format(wrong=wrong, folder=broker.folder) for s in settings]
    flags = [word for value in values for word in ("--set", f"broker.{value}")]
    uri = f"mqtts://localhost:{broker.secure_port}/no"
    levels = ("--log-level", "error")
    done = run("listen", "--input", MINUTE, "--to", uri, *flags, *levels)
    assert done.returncode == 5
    line = error_line(done)
    assert line.startswith(f"ser-stream: error: {uri} ")
    assert re.search(said, line), line


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    for uri in ("mqtt://desk:hunter2@host/desk", "nats://hunter2@host:4222/desk"):
        with pytest.raises(ConfigError, match=r"broker\.password_file") as caught:
            resolve(None, {"to": [uri]}, environment={})
        assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match="allowed is mqtt://HOST/PREFIX or"):
        resolve(None, {"to": ["mqtt://host"]}, environment={})


def test_a_daemon_that_is_killed_is_offline(broker: Broker) -> None:
    uri = f"mqtt://127.0.0.1:{broker.port}/daemon"
    with (
        MqttReader(broker.port, "#") as reader,
        running_daemon("--to", uri) as daemon,
    ):
        reader.wait("daemon/availability", "online")
        reader.wait("daemon/state/connectivity", "ON")
        assert reader.wait("daemon/prediction").fields["seq"] >= 1
        found = reader.wait_for(lambda m: m.topic.startswith("homeassistant/"))
        options = found.fields["components"]["emotion"]["options"]
        assert set(options) > {"none"}
        (link,) = control("status", daemon.socket)["brokers"]
        assert (link["address"], link["connected"], link["dropped"]) == (uri, True, 0)
        assert b"connected, " in run("status", "--socket", daemon.socket).stdout
        daemon.process.kill()
        reader.wait("daemon/availability", "offline")


def test_a_daemon_with_a_broker_alone_reads_its_file_again(
    broker: Broker, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("step = 0.2\n")
    uri = f"mqtt://127.0.0.1:{broker.port}/alone"
    with (
        MqttReader(broker.port, "alone/#") as reader,
        start("listen", "--input", MINUTE, "--to", uri, "--config", file) as process,
    ):
        reader.wait("alone/prediction")
        file.write_text("step = 0.4\n")
        process.send_signal(signal.SIGHUP)
        told = reader.wait_for(
            lambda m: m.topic == "alone/status" and m.fields["what"] == "model"
        )
        assert told.fields["state"] == "reloaded"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 0
