"""`--metrics`: figures that Prometheus can read, on this machine only."""

import logging
import re
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_stream.errors import ConfigError, MissingLibraryError, SinkError
from ser_stream.metrics import Metrics, metrics_address
from ser_stream.metrics.health import Health
from ser_stream.pipeline.values import AudioState
from tests.helpers.cut_connection import cut_when_closed
from tests.helpers.paths import MINUTE
from tests.helpers.program import error_line, run, start

parser = pytest.importorskip("prometheus_client.parser")

Figures = dict[tuple[str, str], float]
"""Value by the name and the one label that matters."""


def told(port: int, host: str = "127.0.0.1") -> str:
    """The page, as Prometheus gets it."""
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=120) as reply:
        assert reply.headers["Content-Type"].startswith("text/plain")
        text: str = reply.read().decode()
    return text


def scrape(port: int, host: str = "127.0.0.1") -> Figures:
    """The figures, as Prometheus reads them."""
    return {
        (
            sample.name,
            sample.labels.get("name", next(iter(sample.labels.values()), "")),
        ): sample.value
        for family in parser.text_string_to_metric_families(told(port, host))
        for sample in family.samples
    }


@pytest.fixture
def health() -> Health:
    return Health(
        steps=7,
        emotions=2,
        skipped=3,
        overflows=1,
        gaps=4,
        lost_samples=24_000,
        end=160_000,
        audio=AudioState.LOST,
        model="open",
        model_sha256="ab" * 32,
        adaptations={"accepted": 2, "rejected": 1},
    )


@pytest.fixture
def metrics(health: Health) -> Iterator[Metrics]:
    found = Metrics.start(
        "127.0.0.1:0", {"": health}, lambda: {"unix": 3, "tcp": 0, "ws": 2}, lambda: 11
    )
    yield found
    found.close()


def test_the_log_says_where_they_are(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        found = Metrics.start("localhost:0", {"": health}, dict, lambda: 0)
    found.close()
    assert caplog.messages == [f"figures at http://127.0.0.1:{found.port}/"]


def test_every_figure_is_there(metrics: Metrics, health: Health) -> None:
    figures = scrape(metrics.port)
    expected = {
        "steps_total": 7,
        "emotions_total": 2,
        "skipped_steps_total": 3,
        "dropped_messages_total": 11,
        "overflows_total": 1,
        "gaps_total": 4,
        "lost_audio_seconds_total": 1.5,
        "audio_seconds_total": 10,
    }
    for name, value in expected.items():
        assert figures[f"ser_stream_{name}", ""] == value
    for kind, count in (("unix", 3), ("tcp", 0), ("ws", 2)):
        assert figures["ser_stream_subscribers", kind] == count
    states = {s: figures["ser_stream_audio_state", s.value] for s in AudioState}
    assert states == {s: float(s is AudioState.LOST) for s in AudioState}
    for phase, count in (("accepted", 2), ("rejected", 1)):
        assert figures["ser_stream_adaptations_total", phase] == count
    assert figures["ser_stream_model_info", "open"] == 1
    assert figures["process_resident_memory_bytes", ""] > 1e6
    assert figures["process_open_fds", ""] > 2
    assert figures["process_cpu_seconds_total", ""] > 0
    health.steps = 8
    assert scrape(metrics.port)["ser_stream_steps_total", ""] == 8


def test_names_are_those_that_prometheus_advises(metrics: Metrics) -> None:
    for name, _ in scrape(metrics.port):
        assert re.fullmatch(r"(ser_stream|process)_[a-z_]+", name)


def test_the_histogram_counts_what_is_at_most_each_bound(metrics: Metrics) -> None:
    for latency in (0.0004, 0.001, 0.0011, 0.05, 3.0):
        metrics.observer()(latency)
    figures = scrape(metrics.port)
    name = "ser_stream_step_latency_seconds"
    below = {"0.001": 2, "0.002": 3, "0.02": 3, "0.05": 4, "1.0": 4, "+Inf": 5}
    for bound, count in below.items():
        assert figures[f"{name}_bucket", bound] == count
    assert figures[f"{name}_count", ""] == 5
    assert figures[f"{name}_sum", ""] == pytest.approx(3.0525)


def test_an_empty_histogram_has_all_its_buckets(metrics: Metrics) -> None:
    name = "ser_stream_step_latency_seconds_bucket"
    found = {
        bound: n for (key, bound), n in scrape(metrics.port).items() if key == name
    }
    bounds = "0.001 0.002 0.005 0.01 0.02 0.05 0.1 0.2 0.5 1.0 +Inf"
    assert found == dict.fromkeys(bounds.split(" "), 0)


def test_a_client_that_resets_its_connection_is_not_logged(
    metrics: Metrics, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", metrics.port)) as client:
        client.sendall(b"GET /met")
        cut_when_closed(client)
    assert scrape(metrics.port)
    deadline = time.monotonic() + 120
    while any("process_request" in t.name for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert capfd.readouterr().err == ""


def test_localhost_is_reached_by_the_address_of_ipv4(health: Health) -> None:
    metrics = Metrics.start("localhost:0", {"": health}, dict, lambda: 0)
    try:
        assert scrape(metrics.port)
    finally:
        metrics.close()


def test_clients_that_say_nothing_do_not_hold_up_others(metrics: Metrics) -> None:
    with socket.create_connection(("127.0.0.1", metrics.port)):
        assert scrape(metrics.port)
        # Nor the end, which the fixture brings.
        metrics.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", metrics.port), timeout=5)


def test_a_port_in_use_is_said_so(metrics: Metrics, health: Health) -> None:
    address = f"127.0.0.1:{metrics.port}"
    with pytest.raises(SinkError, match=f"cannot be served on {address}: Address alr"):
        Metrics.start(address, {"": health}, dict, lambda: 0)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0.0.0.0:9469", "which others could reach"),
        ("192.168.1.2:9469", "which others could reach"),
        ("example.org:9469", "which others could reach"),
        ("9469", "allowed: HOST:PORT"),
        ("127.0.0.1", "allowed: HOST:PORT"),
        ("127.0.0.1:99999", "allowed: HOST:PORT"),
    ],
)
def test_an_address_that_others_reach_is_refused(address: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        metrics_address(address)


def test_ipv6_is_served_too(health: Health) -> None:
    try:
        metrics = Metrics.start("[::1]:0", {"": health}, dict, lambda: 0)
    except SinkError as error:
        pytest.skip(str(error))
    try:
        assert scrape(metrics.port, "[::1]")["ser_stream_steps_total", ""] == 7
    finally:
        metrics.close()


def test_without_the_library_its_extra_is_named(
    health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'ser-stream\[metrics"):
        Metrics.start("127.0.0.1:0", {"": health}, dict, lambda: 0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_listen_serves_its_figures() -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    process = start("listen", "--input", MINUTE, "--metrics", address)
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if b'"prediction"' in line:
                    break
            deadline = time.monotonic() + 120
            figures = scrape(port)
            while figures["ser_stream_step_latency_seconds_count", ""] < 3:
                assert time.monotonic() < deadline
                figures = scrape(port)
            assert figures["ser_stream_steps_total", ""] >= 3
            assert figures["ser_stream_audio_state", "healthy"] == 1
            assert figures["ser_stream_model_info", "open"] == 1
            done = run("listen", "--input", MINUTE, "--metrics", address)
            assert done.returncode == 5
            assert f"cannot be served on {address}" in error_line(done)
        finally:
            process.terminate()
            process.communicate(timeout=120)
    assert process.returncode == 0


def test_listen_refuses_to_serve_others(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('# x\nmetrics = "0.0.0.0:9469"\n')
    done = run("listen", "--input", MINUTE, "--config", config)
    assert done.returncode == 2
    assert f"{config}:2: metrics is '0.0.0.0:9469'" in error_line(done)


def test_of_several_sources_each_has_its_label() -> None:
    healths = {"desk": Health(), "hall": Health(steps=5, audio=AudioState.LOST)}
    metrics = Metrics.start("127.0.0.1:0", healths, dict, lambda: 3, by_source=True)
    try:
        metrics.observer("hall")(0.002)
        text = told(metrics.port)
    finally:
        metrics.close()
    for line in (
        'ser_stream_steps_total{source="desk"} 0.0',
        'ser_stream_steps_total{source="hall"} 5.0',
        'ser_stream_audio_state{source="hall",state="lost"} 1.0',
        'ser_stream_audio_state{source="desk",state="lost"} 0.0',
        'ser_stream_step_latency_seconds_count{source="hall"} 1.0',
        "ser_stream_dropped_messages_total 3.0",
    ):
        assert f"\n{line}\n" in text
