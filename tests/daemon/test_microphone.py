"""The daemon and its microphone: paused, resumed, remembered, lost, found again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ser_stream.client import Stream, control
from tests.helpers.program import run
from tests.helpers.running_daemon import running_daemon
from tests.helpers.virtual_microphone import VirtualMicrophone, virtual_microphone

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def microphone() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as microphone:
        yield microphone


def statuses(stream: Stream, last: str) -> list[dict[str, Any]]:
    """What is said of the audio, up to the first `last`."""
    seen: list[dict[str, Any]] = []
    for message in stream:
        if message["type"] == "status" and message["what"] == "audio":
            seen.append(dict(message))
            if message["state"] == last:
                return seen
    pytest.fail(f"the stream ended: {seen}")


def test_pause_releases_the_device_and_is_remembered_until_resume(
    microphone: VirtualMicrophone, tmp_path: Path
) -> None:
    environment = microphone.env
    # A socket's path has to be short, and the same after the restart.
    folder = microphone.folder / "paused"
    folder.mkdir()
    with running_daemon(source="mic", environment=environment, folder=folder) as daemon:
        with daemon.subscribe(only=["status"]) as stream:
            assert microphone.recordings() == 1
            done = run("pause", "--socket", daemon.socket)
            assert done.stdout.decode().startswith("paused: the microphone is released")
            assert [s["state"] for s in statuses(stream, "paused")] == ["paused"]
            assert microphone.recordings() == 0
        with daemon.subscribe(only=["status"]) as late:
            now = next(m for m in late if m["type"] == "snapshot")
            assert (now["audio"], now["paused"]) == ("paused", True)
        assert run("status", "--socket", daemon.socket).returncode == 0
        assert daemon.stop() == 0
    with running_daemon(source="mic", environment=environment, folder=folder) as daemon:
        assert control("status", daemon.socket)["paused"] is True
        assert microphone.recordings() == 0
        with daemon.subscribe() as stream:
            assert control("resume", daemon.socket)["remembered"] is True
            said = [s["state"] for s in statuses(stream, "healthy")]
            assert said == ["resumed", "healthy"]
            heard = next(m for m in stream if m["type"] == "prediction")
            # The pause is on the audio clock.
            assert heard["end_ms"] > 0
        assert microphone.recordings() == 1
        assert daemon.stop() == 0


def test_a_microphone_that_goes_and_comes_back_is_told_on_the_socket(
    microphone: VirtualMicrophone,
) -> None:
    microphone.add_sink("desk", "Desk")
    with (
        running_daemon(source="mic:desk", environment=microphone.env) as daemon,
        daemon.subscribe() as stream,
    ):
        before = next(m for m in stream if m["type"] == "prediction")
        microphone.unload("desk")
        lost = statuses(stream, "recovering")
        assert lost[0]["state"] == "lost"
        assert control("status", daemon.socket)["degraded"] is True
        assert run("status", "--socket", daemon.socket).returncode == 1
        microphone.add_sink("desk", "Desk")
        assert [s["state"] for s in statuses(stream, "healthy")] == ["healthy"]
        after = next(m for m in stream if m["type"] == "prediction")
        assert after["end_ms"] > before["end_ms"] + 500
        assert after["seq"] > before["seq"]
        answer = control("status", daemon.socket)
        assert answer["audio"]["state"] == "healthy"
        assert answer["audio"]["gaps"] == 1
        assert answer["audio"]["overflows"] == 0
        assert daemon.stop() == 0
