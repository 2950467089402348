"""What an operator asks of a real `serve`: figures, status, reload, systemd."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from ser_stream.client import (
    AccessError,
    NotRunningError,
    RefusedError,
    UnreachableError,
    control,
    send,
    serve_status,
)
from tests.helpers.brokers import free_port
from tests.helpers.notified import Systemd
from tests.helpers.paths import MINUTE
from tests.helpers.program import ENVIRONMENT, error_line, run
from tests.helpers.protocol_schema import validate
from tests.helpers.running_daemon import running_daemon
from tests.helpers.running_serve import RunningServe, running_serve
from tests.helpers.scraped import figures, page
from tests.helpers.socket_server import wait_until

pytest.importorskip("prometheus_client")
TIMEOUT = 60.0
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def speech() -> Any:
    samples, rate = soundfile.read(MINUTE, dtype="int16", frames=6 * 16_000)
    assert rate == 16_000
    return samples


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def running(port: int) -> Iterator[RunningServe]:
    """Open to two streams of whoever knows the token, or has the socket's file."""
    options = ("--max-streams", "2", "--metrics", f"127.0.0.1:{port}")
    environment = {"SER_STREAM_TOKEN": TOKEN}
    with running_serve(*options, environment=environment) as served:
        yield served


@pytest.fixture
def served(running: RunningServe, port: int) -> RunningServe:
    """It, when those who were there before have gone."""
    kinds = [f'ser_stream_clients{{kind="{kind}"}}' for kind in running.addresses]
    wait_until(lambda: not any(figures(port)[kind] for kind in kinds))
    return running


def heard(uri: str, samples: Any, **options: Any) -> list[Any]:
    """What a client is told of its audio."""
    with send(uri, **options) as stream:
        stream.write(samples)
        stream.end()
        return list(stream.events(TIMEOUT))


def test_figures_tell_of_all_streams(
    served: RunningServe, port: int, speech: Any
) -> None:
    before = figures(port)
    told = heard(served.addresses["tcp"], speech, token=TOKEN)
    wait_until(lambda: figures(port)['ser_stream_streams{kind="tcp"}'] == 0)
    now = figures(port)
    grown = {name: value - before.get(name, 0) for name, value in now.items()}
    steps = sum(m["type"] == "prediction" for m in told)
    begun = sum(m["type"] == "emotion" and m["phase"] == "start" for m in told)
    assert steps > 20
    assert grown["ser_stream_steps_total"] == steps
    assert grown["ser_stream_emotions_total"] == begun
    assert grown["ser_stream_audio_seconds_total"] == 6
    assert grown["ser_stream_streams_opened_total"] == 1
    assert grown['ser_stream_streams_ended_total{reason="end"}'] == 1
    # What was sent faster than it was spoken waited for its turn, and does not count.
    assert 0 < grown["ser_stream_step_latency_seconds_count"] < steps
    assert grown['ser_stream_compute_seconds_total{pace="fast"}'] > 0
    assert grown['ser_stream_compute_seconds_total{pace="realtime"}'] > 0
    assert now["ser_stream_max_streams"] == 2
    assert now["ser_stream_late_streams"] == 0
    assert now["ser_stream_dropped_messages_total"] == 0
    assert now["process_resident_memory_bytes"] > 1e6
    assert now["process_cpu_seconds_total"] > 0
    assert any(name.startswith('ser_stream_model_info{adapted="false"') for name in now)


def test_figures_tell_of_streams_that_are_open_and_of_those_that_vanish(
    served: RunningServe, port: int, speech: Any
) -> None:
    gone = 'ser_stream_streams_ended_total{reason="vanished"}'
    before = figures(port).get(gone, 0)
    with send(served.addresses["ws"], token=TOKEN) as stream:
        stream.write(speech[:16_000])
        assert figures(port)['ser_stream_streams{kind="ws"}'] == 1
        assert figures(port)['ser_stream_clients{kind="ws"}'] == 1
    wait_until(lambda: figures(port).get(gone, 0) == before + 1)
    wait_until(lambda: figures(port)['ser_stream_clients{kind="ws"}'] == 0)


def test_figures_tell_who_was_refused_and_why(served: RunningServe, port: int) -> None:
    def refused(code: str) -> float:
        return figures(port).get(
            f'ser_stream_streams_refused_total{{code="{code}"}}', 0
        )

    codes = ("wrong_token", "bad_message", "origin")
    before = {code: refused(code) for code in codes}
    ws = served.addresses["ws"]
    with pytest.raises(AccessError):
        send(served.addresses["tcp"], token="guessed-it")
    headers = {"Authorization": "Bearer guessed-it"}
    with pytest.raises(InvalidStatus), connect(ws, additional_headers=headers):
        pass
    with pytest.raises(RefusedError):
        send(served.addresses["unix"], rate=3)
    with pytest.raises(InvalidStatus), connect(ws, origin=Origin("https://a.org")):
        pass
    after = {code: refused(code) for code in codes}
    grown = [after[code] - before[code] for code in codes]
    assert grown == [2, 1, 1]


def test_whoever_restarts_it_is_told_that_all_is_well(
    served: RunningServe, port: int
) -> None:
    assert page(port, "/healthz") == (200, "ok\n")
    assert page(port, "/readyz") == (200, "ok\n")


@pytest.mark.parametrize("kind", ["tcp", "ws", "unix"])
def test_status_is_told_at_every_address(
    served: RunningServe, speech: Any, kind: str
) -> None:
    with send(served.addresses["tcp"], name="my-kitchen", token=TOKEN) as stream:
        stream.write(speech[:16_000])
        status = serve_status(served.addresses[kind], TOKEN)
        assert status["streams"]["open"] == {"tcp": 1, "unix": 0, "ws": 0}
    assert status["streams"]["most"] == 2
    assert status["degraded"] is False
    assert status["model"]["name"] == "open"
    assert 0 <= status["busy"]["realtime"] <= 1
    assert status["rss_mb"] > 1
    # Of others nothing is told, and of the machine only to those who are on it.
    assert "my-kitchen" not in json.dumps(status)
    assert ("pid" in status) is ("config" in status) is (kind == "unix")


def test_a_status_is_under_the_limits_of_a_stream(served: RunningServe) -> None:
    tcp, ws = served.addresses["tcp"], served.addresses["ws"]
    for uri in (tcp, ws):
        for token in (None, "guessed-it"):
            with pytest.raises(AccessError, match="token"):
                serve_status(uri, token)
    with connect(ws) as connection:
        said: list[dict[str, Any]] = [
            {"type": "auth", "token": TOKEN},
            {"type": "control", "do": "status", "id": 7},
        ]
        for line in said:
            connection.send(json.dumps(line))
        reply, bye = (validate(connection.recv(timeout=TIMEOUT)) for _ in range(2))
    assert (reply["id"], reply["ok"]) == (7, True)
    assert bye == {"type": "bye", "reason": "end"}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"type": "control", "do": "pause"}, "unknown_command"),
        ({"type": "control"}, "bad_message"),
        ({"type": "control", "do": "status", "source": "tcp"}, "bad_message"),
    ],
)
def test_nothing_but_the_status_of_all_can_be_asked(
    served: RunningServe, request_: dict[str, Any], code: str
) -> None:
    auth = {"type": "auth", "token": TOKEN}
    with connect(served.addresses["ws"]) as connection:
        for line in (auth, request_):
            connection.send(json.dumps(line))
        assert validate(connection.recv(timeout=TIMEOUT))["error"]["code"] == code


def test_a_status_is_no_part_of_a_stream(served: RunningServe) -> None:
    said = [
        {"type": "auth", "token": TOKEN},
        {"type": "open"},
        {"type": "control", "do": "status"},
    ]
    with connect(served.addresses["ws"]) as connection:
        for line in said:
            connection.send(json.dumps(line))
        told = [validate(connection.recv(timeout=TIMEOUT)) for _ in range(4)]
    assert [m["type"] for m in told] == ["hello", "snapshot", "reply", "bye"]
    assert told[2]["error"]["code"] == "refused"


def test_when_all_is_full_the_status_can_still_be_asked(
    served: RunningServe, speech: Any
) -> None:
    tcp, unix = served.addresses["tcp"], served.addresses["unix"]
    with send(unix), send(unix) as second:
        for uri in (tcp, unix, served.addresses["ws"]):
            assert serve_status(uri, TOKEN)["streams"]["open"]["unix"] == 2
            with pytest.raises(UnreachableError, match="2 streams already"):
                send(uri, token=TOKEN)
        second.close()
        wait_until(lambda: serve_status(unix)["streams"]["open"]["unix"] == 1)
        assert heard(tcp, speech[:8000], token=TOKEN)[-1]["reason"] == "end"


def test_the_command_tells_the_status(served: RunningServe) -> None:
    environment = {**ENVIRONMENT, "SER_STREAM_TOKEN": TOKEN}
    tcp = served.addresses["tcp"]
    done = run("status", "--socket", tcp, environment=environment)
    assert done.returncode == 0, done.stderr
    rows = dict(line.split(maxsplit=1) for line in done.stdout.decode().splitlines())
    assert rows["streams"] == "none, of at most 2"
    assert rows["model"].startswith("open (")
    assert "settings" not in rows
    # The control socket of `listen` is asked the same, and so is doctor's.
    done = run("status", "--socket", served.addresses["unix"], "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["pid"] == served.pid
    done = run("status", "--socket", tcp)
    assert done.returncode == 5
    assert "SER_STREAM_TOKEN may hold it" in error_line(done)
    done = run("status", "--socket", tcp, "--source", "x", environment=environment)
    assert done.returncode == 2
    assert "leave --source out" in error_line(done)


def test_where_no_server_is_the_status_says_so() -> None:
    with pytest.raises(
        NotRunningError, match="ser-stream serve --listen tcp://"
    ) as told:
        serve_status("tcp://127.0.0.1:1")
    assert told.value.exit_status == 3


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("wyoming://127.0.0.1:10700", "tells how it is by --metrics"),
        ("nats://127.0.0.1/fleet", "tells how it is by --metrics"),
        ("ftp://127.0.0.1:1", "unknown address"),
        ("stdout:", "unknown address"),
    ],
)
def test_an_address_that_cannot_be_asked_is_told_which_can(uri: str, said: str) -> None:
    done = run("status", "--socket", uri)
    assert done.returncode == 2
    line = error_line(done)
    assert said in line
    assert "unix:///PATH, tcp://HOST:PORT, ws://HOST:PORT" in line
    assert "stdout:," not in line


def test_the_log_names_the_port_of_the_figures_that_the_system_chose() -> None:
    with running_serve("--metrics", "127.0.0.1:0", kinds=("unix",)) as served:
        found = re.search(r"figures at http://127.0.0.1:(\d+)/", served.log.read_text())
        assert found is not None
        assert page(int(found[1]), "/healthz") == (200, "ok\n")


def test_streams_without_figures_are_served_as_ever(speech: Any) -> None:
    with running_serve(kinds=("tcp",)) as served:
        assert heard(served.addresses["tcp"], speech)[-1]["reason"] == "end"
        status = serve_status(served.addresses["tcp"])
        assert status["streams"]["ended"] == {"end": 1}
        assert status["latency_ms"] is not None
        assert served.stop() == 0


def test_a_server_that_its_broker_does_not_reach_is_not_ready(tmp_path: Path) -> None:
    pytest.importorskip("nats")
    metrics = free_port()
    nats = f"nats://127.0.0.1:{free_port()}/fleet"
    with running_serve(
        *("--metrics", f"127.0.0.1:{metrics}"), kinds=("unix",), listen=(nats,)
    ) as served:
        assert page(metrics, "/readyz") == (503, f"not connected to {nats}\n")
        assert page(metrics, "/healthz") == (200, "ok\n")
        assert figures(metrics)[f'ser_stream_broker_connected{{address="{nats}"}}'] == 0
        done = run("status", "--socket", served.addresses["unix"])
        assert done.returncode == 1
        assert f"trouble     not connected to {nats}\n" in done.stdout.decode()


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--metrics", "9470"), 2, "allowed: HOST:PORT"),
        (("--metrics", "0.0.0.0:0"), 2, "add --trust-network"),
        (("--metrics", "127.0.0.1:{port}"), 5, "cannot be served on 127.0.0.1:"),
    ],
)
def test_an_address_that_cannot_be_read_from_is_one_line(
    served: RunningServe, port: int, options: tuple[str, str], status: int, said: str
) -> None:
    flag, address = options[0], options[1].format(port=port)
    done = run("serve", "--listen", "tcp://127.0.0.1:0", flag, address)
    assert done.returncode == status
    assert said in error_line(done)


def test_others_may_read_where_the_network_is_trusted() -> None:
    metrics = free_port()
    options = ("--metrics", f"0.0.0.0:{metrics}", "--trust-network")
    with running_serve(*options, kinds=("unix",)):
        assert page(metrics, "/readyz").status == 200


def test_a_hangup_reads_limits_and_token_again_and_ends_nothing(
    tmp_path: Path, speech: Any
) -> None:
    config, token = tmp_path / "config.toml", tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("first-token\n")
    begin = f'token_file = "{token}"\n'
    config.write_text(f"{begin}[serve]\nmax_streams = 1\n")

    with running_serve("--config", config, kinds=("tcp", "ws")) as served:

        def hang_up(says: str) -> None:
            served.process.send_signal(signal.SIGHUP)
            wait_until(lambda: says in served.log.read_text())

        tcp, ws = served.addresses["tcp"], served.addresses["ws"]
        with send(tcp, token="first-token") as stream:
            stream.write(speech)
            token.write_text("second-token\n")
            config.write_text(f"{begin}step = 0.4\n[serve]\nmax_streams = 3\n")
            hang_up(
                "reloaded: changed: serve.max_streams, token; only a restart brings: "
                "step"
            )
            for uri in (tcp, ws):
                with pytest.raises(AccessError):
                    send(uri, token="first-token")
                assert heard(uri, speech, token="second-token")[-1]["reason"] == "end"
            assert serve_status(tcp, "second-token")["streams"]["most"] == 3

            config.write_text(f"{begin}[serve]\nmax_streams = 0\n")
            hang_up(f"reload refused, everything stays: {config}:3: serve.max_streams")
            config.write_text("")
            hang_up("there was a token, and now there is none; only a restart brings")
            assert serve_status(ws, "second-token")["streams"]["most"] == 3

            config.write_text(f"{begin}[serve]\nmax_streams = 1\n")
            hang_up("reloaded: changed: serve.max_streams\n")
            with pytest.raises(UnreachableError, match="1 streams already"):
                send(tcp, token="second-token")
            stream.end()
            assert list(stream.events(TIMEOUT))[-1] == {"type": "bye", "reason": "end"}
        assert served.stop() == 0
        assert "Traceback" not in served.log.read_text()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    server = Systemd(tmp_path / "notify")
    yield server
    server.close()


def test_systemd_is_told_how_it_is_and_that_it_lives(systemd: Systemd) -> None:
    environment = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "800000"}
    with running_serve(kinds=("unix",), environment=environment) as served:
        ready = systemd.until("READY")
        assert ready["STATUS"] == "taking audio with model open: 0 of 200 streams"
        # Also while nothing comes.
        for _ in range(3):
            systemd.until("WATCHDOG")
        with send(served.addresses["unix"]):
            assert "1 of 200 streams" in systemd.until("STATUS")["STATUS"]
        served.process.send_signal(signal.SIGHUP)
        systemd.until("RELOADING")
        if systemd.count("READY") < 2:
            systemd.until("READY")
        assert served.stop() == 0
        systemd.until("STOPPING")


def test_a_listen_is_not_asked_over_a_network() -> None:
    with running_daemon(tcp=True) as daemon:
        with pytest.raises(AccessError, match="unix socket only"):
            serve_status(daemon.tcp)
        assert "streams" not in control("status", daemon.socket)
