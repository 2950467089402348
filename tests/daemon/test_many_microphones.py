"""Two microphones and both channels of one: each lost, found, paused by itself."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from ser_stream.client import Stream, control
from tests.helpers.program import run
from tests.helpers.running_daemon import RunningDaemon, running_daemon
from tests.helpers.socket_server import wait_until
from tests.helpers.virtual_microphone import VirtualMicrophone, virtual_microphone

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def microphone() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as microphone:
        microphone.add_sink("desk", "Desk")
        microphone.add_sink("hall", "Hall")
        yield microphone


def until(stream: Stream, source: str, state: str) -> list[Any]:
    """The messages up to the one that tells this of the audio of a source."""
    seen: list[Any] = []
    for message in stream:
        seen.append(message)
        if message["type"] != "status":
            continue
        told = (message.get("source"), message["what"], message["state"])
        if told == (source, "audio", state):
            return seen
    pytest.fail(f"the stream ended: {seen[-3:]}")


def ends(messages: list[Any], source: str) -> list[float]:
    return [
        m["end_ms"]
        for m in messages
        if m["type"] == "prediction" and m["source"] == source
    ]


def states(daemon: RunningDaemon) -> dict[str, str]:
    answer = control("status", daemon.socket)
    return {one["name"]: one["audio"]["state"] for one in answer["sources"]}


def test_one_that_goes_and_comes_back_leaves_the_other_alone(
    microphone: VirtualMicrophone,
) -> None:
    inputs = ("--input", "hall=mic:hall")
    with (
        running_daemon(
            *inputs, source="desk=mic:desk", environment=microphone.env
        ) as daemon,
        daemon.subscribe() as stream,
    ):
        seen: list[Any] = [next(stream) for _ in range(4)]
        assert [m["source"] for m in seen] == ["desk", "desk", "hall", "hall"]
        assert {m["audio"]["device"] for m in seen if m["type"] == "hello"} == {
            "Monitor of Desk",
            "Monitor of Hall",
        }
        microphone.unload("desk")
        seen = until(stream, "desk", "recovering")
        answer = control("status", daemon.socket)
        assert answer["degraded"] is True
        assert answer["audio"]["detail"].startswith("desk: ")
        status = run("status", "--socket", daemon.socket, "--source", "hall")
        assert status.returncode == 0
        microphone.add_sink("desk", "Desk")
        seen += until(stream, "desk", "healthy")
        seen += until_step(stream, "desk")
        hall = ends(seen, "hall")
        assert {b - a for a, b in pairwise(hall)} == {200}
        assert not [m for m in seen if m["type"] == "status" and m["source"] == "hall"]
        assert states(daemon) == {"desk": "healthy", "hall": "healthy"}
        assert daemon.stop() == 0


def until_step(stream: Stream, source: str) -> list[Any]:
    seen: list[Any] = []
    while not ends(seen, source):
        seen.append(next(stream))
    return seen


def test_a_pause_is_of_one_and_remembered_and_channels_share_their_device(
    microphone: VirtualMicrophone,
) -> None:
    folder = microphone.folder / "many"
    folder.mkdir()
    flags = ("--input", "hall=mic:hall", "--channel", "each")
    options: dict[str, Any] = {
        "source": "desk=mic:desk",
        "environment": microphone.env,
        "folder": folder,
    }
    with running_daemon(*flags, **options) as daemon:
        assert microphone.recordings() == 2
        wait_until(lambda: set(states(daemon).values()) == {"healthy"})
        done = run("pause", "--socket", daemon.socket, "--source", "hall")
        assert done.stdout.decode().startswith("paused: hall, released, also ")
        wait_until(lambda: states(daemon)["hall.right"] == "paused")
        assert states(daemon)["desk.left"] == "healthy"
        assert microphone.recordings() == 1
        assert daemon.stop() == 0
    with running_daemon(*flags, **options) as daemon:
        wait_until(lambda: states(daemon)["desk.left"] == "healthy")
        assert states(daemon) == {
            "desk.left": "healthy",
            "desk.right": "healthy",
            "hall.left": "paused",
            "hall.right": "paused",
        }
        assert microphone.recordings() == 1
        assert control("resume", daemon.socket)["sources"] == ["desk", "hall"]
        wait_until(lambda: set(states(daemon).values()) == {"healthy"})
        assert microphone.recordings() == 2
        assert daemon.stop() == 0
