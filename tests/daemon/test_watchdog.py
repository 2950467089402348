"""What systemd is told, over a real datagram socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_stream.client import control
from ser_stream.daemon.watchdog import Watchdog
from ser_stream.metrics.health import Health
from ser_stream.pipeline.values import AudioState
from ser_stream.service.notify import Notifier
from tests.helpers.notified import Systemd
from tests.helpers.program import ENVIRONMENT
from tests.helpers.running_daemon import running_daemon

pytestmark = pytest.mark.alone


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    server = Systemd(tmp_path / "notify")
    yield server
    server.close()


def test_ready_watchdog_reloading_and_stopping_come_in_order(systemd: Systemd) -> None:
    environment = {
        **ENVIRONMENT,
        "NOTIFY_SOCKET": str(systemd.path),
        "WATCHDOG_USEC": "800000",
    }
    with running_daemon(environment=environment) as daemon:
        ready = systemd.until("READY")
        assert "hearing emodb_minute.flac with model open" in ready["STATUS"]
        systemd.until("WATCHDOG")
        control("reload", daemon.socket)
        systemd.until("READY")
        assert daemon.stop() == 0
        systemd.until("STOPPING")
    order = [next(iter(m)) for m in systemd.said if "STATUS" in m or "RELOADING" in m]
    assert [name for name in order if name != "STATUS"] == [
        "READY",
        "RELOADING",
        "READY",
        "STOPPING",
    ]
    assert all(int(m["MONOTONIC_USEC"]) > 0 for m in systemd.said if "RELOADING" in m)


def test_an_absent_microphone_is_ready_and_alive_all_the_same(
    systemd: Systemd, tmp_path: Path
) -> None:
    environment = {
        **ENVIRONMENT,
        "NOTIFY_SOCKET": str(systemd.path),
        "WATCHDOG_USEC": "800000",
        "PULSE_SERVER": f"unix:{tmp_path}/nobody",
    }
    with running_daemon(source="mic:nowhere", environment=environment) as daemon:
        ready = systemd.until("READY")
        assert ready["STATUS"].startswith("audio lost: ")
        systemd.until("WATCHDOG")
        answer = control("status", daemon.socket)
        assert answer["degraded"] is True
        assert daemon.stop() == 0


def test_a_worker_that_hangs_is_not_vouched_for(systemd: Systemd) -> None:
    health = Health()
    notifier = Notifier(str(systemd.path), watchdog_s=0.2)
    with Watchdog(notifier, lambda: health):
        systemd.hear(0.2)
        assert systemd.said == [], "ready before anything is known"
        health.known, health.audio = True, AudioState.HEALTHY
        while systemd.count("WATCHDOG") < 2:
            health.beats += 1
            systemd.hear(0.06)
        fed = systemd.count("WATCHDOG")
        systemd.hear(0.6)
        assert systemd.count("WATCHDOG") <= fed + 1
        health.audio, health.detail = AudioState.LOST, "unplugged"
        assert systemd.until("STATUS")["STATUS"] == "audio lost: unplugged"
