"""A microphone may vanish, hang, be paused or come late: the stream outlasts it."""

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import pytest

from benchmarks.soak import microphone as scenario
from tests.helpers.soak_checks import unmet
from tests.helpers.virtual_microphone import (
    ALSA_CONFIG,
    ALSA_PCM,
    VirtualMicrophone,
    start_python,
    virtual_microphone,
)

pytestmark = pytest.mark.alone

BACK_S = 60.0
CLOCK_S = 0.5
HEAR = """
import json, select, sys, time
from ser_stream.errors import SerStreamError
from ser_stream.sources import InputConfig, microphone, open_source
from ser_stream.sources import background_open as opener
from ser_stream.sources import dead_signal, portaudio
from ser_stream.sources import reconnecting_microphone as recovery
from ser_stream.pipeline.values import Condition

def say(**fields):
    print(json.dumps({"at": time.monotonic(), **fields}), flush=True)

counts = {"opened": 0, "scanned": 0}

def counted(owner, name, what):
    call = getattr(owner, name)
    def count(*given, **named):
        counts[what] += 1
        return call(*given, **named)
    setattr(owner, name, count)

counted(opener.BackgroundOpener, "open", "opened")
counted(portaudio, "rescan", "scanned")
settings = json.loads(sys.argv[2])
for module, name, value in settings.pop("patches", []):
    setattr(globals()[module], name, value)
with open_source(InputConfig(sys.argv[1], **settings)) as source:
    zero, end = None, 0
    while True:
        if select.select([sys.stdin], [], [], 0)[0]:
            command = sys.stdin.readline().strip()
            if not command:
                break
            getattr(source, command)()
            say(did=command)
        begin = time.monotonic()
        item = source.read(0.1)
        took = time.monotonic() - begin
        if took > 1.5:
            say(slow=took)
        if isinstance(item, Condition):
            say(state=item.state, detail=item.detail, **counts)
        elif item is not None:
            began = item.arrived - item.end / 16000
            if zero is None:
                zero = began
                say(start=item.start, device=source.info.device)
            elif item.start != end:
                say(gap="yes", jump=(item.start - end) / 16000, late=began - zero)
            end = item.end
"""
FIRST = "from ser_stream.sources.devices import *; print(list_devices()[0].name)"


class Ear:
    """A process that reads a source, does as it is told, and prints what it noticed."""

    def __init__(
        self, microphone: VirtualMicrophone, source: str, **settings: Any
    ) -> None:
        self.process = start_python(HEAR, microphone.env, source, json.dumps(settings))
        self.lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def until(self, **wanted: str) -> list[dict[str, Any]]:
        """All lines up to the first with a field that begins so."""
        ((key, value),) = wanted.items()
        found: list[dict[str, Any]] = []
        while not found or not str(found[-1].get(key)).startswith(value):
            try:
                found.append(self.lines.get(timeout=120))
            except queue.Empty:
                pytest.fail(f"no {wanted} after {found}: {self.errors()}")
        return found

    def do(self, command: str) -> list[dict[str, Any]]:
        """Have it call a method; the lines until that is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.until(did=command)

    def errors(self) -> str:
        """What it wrote to standard error, once it has ended."""
        self.process.kill()
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                pytest.fail(f"it does not end: {self.errors()}")
            finally:
                self.thread.join(120)
            assert "Traceback" not in self.errors()
            assert self.process.returncode == 0


def states(lines: list[dict[str, Any]]) -> list[str]:
    return [line["state"] for line in lines if "state" in line]


def jump(ear: Ear) -> float:
    """Seconds of the next gap, which has to agree with the clock."""
    gap = ear.until(gap="yes")[-1]
    assert abs(gap["late"]) < CLOCK_S, gap
    return float(gap["jump"])


@pytest.fixture(scope="module")
def server() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as microphone:
        yield microphone


def test_the_program_outlasts_a_microphone_that_goes_is_silent_or_late() -> None:
    found = scenario.run(0.02)
    assert not unmet(found), found


def test_a_sound_server_that_was_killed_is_found_again_and_so_is_each_device(
    server: VirtualMicrophone,
) -> None:
    config = server.folder / "alsa.conf"
    with (
        Ear(server, "mic") as default,
        Ear(server, "mic:0") as number,
        Ear(server, "mic:room.monitor") as name,
    ):
        ears = {"default": default, "mic_a": number, "Monitor of Quiet Room": name}
        for device, ear in ears.items():
            assert ear.until(start="0")[-1]["device"] == device
        server.send_signal(signal.SIGKILL)
        for ear in ears.values():
            assert states(ear.until(state="recovering")) == ["lost", "recovering"]
        # Number 0 is another device from now on.
        other = ALSA_PCM.replace("mic_a", "another")
        config.write_text(f"<{ALSA_CONFIG}>\n{other}{ALSA_PCM}")
        server.start()
        back = time.monotonic()
        with start_python(FIRST, server.env) as first:
            assert first.communicate()[0] == "another\n"
        for device, ear in ears.items():
            healthy = ear.until(state="healthy")
            assert states(healthy) == ["healthy"]
            assert healthy[-1]["detail"].startswith(f"{device}: it is there, after ")
            assert healthy[-1]["at"] - back < BACK_S
            assert jump(ear) > 0.5
    config.write_text(f"<{ALSA_CONFIG}>\n{ALSA_PCM}")


def test_the_default_comes_back_and_where_another_source_is_left_it_goes_on(
    server: VirtualMicrophone,
) -> None:
    with Ear(server, "mic") as ear:
        ear.until(start="0")
        server.unload("room")
        assert states(ear.until(state="recovering")) == ["lost", "recovering"]
        server.add_room()
        back = time.monotonic()
        healthy = ear.until(state="healthy")
        assert states(healthy) == ["healthy"]
        assert healthy[-1]["at"] - back < BACK_S
        jump(ear)
        server.add_sink("other", "Other")
        server.unload("room")
        time.sleep(1.5)
        assert ear.lines.empty()
        server.add_room()
        server.unload("other")


def test_pause_releases_the_device_and_its_time_is_counted(
    server: VirtualMicrophone,
) -> None:
    server.add_sink("desk", "Desk")
    with Ear(server, "mic:desk", paused=True) as ear:
        assert states(ear.until(state="paused")) == ["paused"]
        assert server.recordings() == 0
        ear.do("resume")
        assert states(ear.until(start="0")) == ["resumed", "healthy"]
        assert server.recordings() == 1
        ear.do("pause")
        assert server.recordings() == 0
        begin = time.monotonic()
        # Whatever happens to it meanwhile is nothing to us.
        server.unload("desk")
        server.add_sink("desk", "Desk")
        time.sleep(1.0)
        assert states(ear.do("resume")) == ["paused"]
        paused = time.monotonic() - begin
        assert states(ear.until(state="healthy")) == ["resumed", "healthy"]
        assert jump(ear) >= paused
        # Any number of times, and while it is being opened.
        for command in ["pause", "resume"] * 5:
            ear.do(command)
        jump(ear)
        assert server.recordings() == 1
        ear.do("pause")
        assert server.recordings() == 0
    server.unload("desk")


def test_a_muted_microphone_is_opened_again_without_a_scan(
    server: VirtualMicrophone,
) -> None:
    server.add_sink("muted", "Muted")
    patches = [["dead_signal", "ZEROS_S", 0.5]]
    with Ear(server, "mic:muted", patches=patches) as ear:
        muted = ear.until(state="recovering")[-1]
        assert "only zeros" in muted["detail"]
        server.add_hum("muted")
        alive = ear.until(state="healthy")[-1]
        assert alive["opened"] > 1
        # Each time PortAudio is started anew leaks: once, at the start, is enough.
        assert alive["scanned"] == 1
        # One that is gone meanwhile is looked for as ever.
        server.unload("muted")
        assert states(ear.until(state="recovering"))[0] == "lost"
        server.add_sink("muted", "Muted")
        assert ear.until(state="healthy")[-1]["scanned"] > 1
    server.unload("muted")


def test_a_microphone_that_is_not_there_yet_is_waited_for_if_that_is_wished(
    server: VirtualMicrophone,
) -> None:
    refused = start_python(HEAR, server.env, "mic:late", "{}")
    with Ear(
        server, "mic:late", wait=True, patches=[("recovery", "FAILED_S", 1.5)]
    ) as ear:
        said = ear.until(state="failed")
        assert states(said) == ["lost", "recovering", "failed"]
        assert "no input device is called 'late'; there are: " in said[0]["detail"]
        assert said[-1]["detail"].startswith("looked for it for 2 s in vain, and still")
        server.add_sink("late", "Late")
        back = time.monotonic()
        first = ear.until(start="0")
        assert states(first) == ["healthy"]
        assert first[-1]["at"] - back < BACK_S
        assert first[-1]["device"] == "Monitor of Late"
    server.unload("late")
    _, errors = refused.communicate(timeout=120)
    assert "DeviceError: no input device is called 'late'" in errors


def test_a_sound_server_that_hangs_holds_up_neither_reading_nor_the_end(
    server: VirtualMicrophone,
) -> None:
    patches = [("microphone", "SILENT_S", 1.0), ("opener", "HANGS_S", 1.0)]
    try:
        with Ear(server, "mic:room.monitor", patches=patches) as ear:
            ear.until(start="0")
            server.send_signal(signal.SIGSTOP)
            said = ear.until(state="recovering")
            assert states(said) == ["lost", "recovering"]
            assert "is gone: nothing has come from it for 1 s" in said[0]["detail"]
            assert "the sound system does not answer; if" in said[-1]["detail"]
            server.send_signal(signal.SIGCONT)
            back = time.monotonic()
            healthy = ear.until(state="healthy")
            assert not [line for line in said + healthy if "slow" in line]
            assert healthy[-1]["at"] - back < BACK_S
            jump(ear)
            server.send_signal(signal.SIGSTOP)
            ear.until(state="lost")
    finally:
        server.send_signal(signal.SIGCONT)
