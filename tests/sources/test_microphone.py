"""What a microphone records arrives, in time; what it misses is a jump of the index."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from tests.helpers.virtual_microphone import RATE, VirtualMicrophone, virtual_microphone

pytestmark = pytest.mark.alone

LISTEN = """
import sys, time
import numpy as np
from ser_stream.errors import SerStreamError
from ser_stream.sources.microphone import Microphone

name, seconds, path = sys.argv[1], float(sys.argv[2]), sys.argv[3]
chunks = []
try:
    with Microphone(name, channel=sys.argv[4] if sys.argv[4:] else "mix") as source:
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            chunk = source.read(0.1)
            if chunk is None:
                continue
            if not chunks:
                print(source.info, flush=True)
            assert time.monotonic() - chunk.arrived < 10.0
            chunks.append(chunk)
except SerStreamError as error:
    print(f"{time.monotonic():.3f}", type(error).__name__, error.exit_status, error)
np.savez(
    path,
    starts=[c.start for c in chunks],
    ends=[c.end for c in chunks],
    arrived=[c.arrived for c in chunks],
    samples=np.concatenate([c.samples for c in chunks]) if chunks else [],
)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as microphone:
        yield microphone


@pytest.fixture(scope="module")
def signal_48k() -> FloatArray:
    """1.5 s of a rising tone in a little noise."""
    seconds = np.arange(3 * RATE // 2) / RATE
    tone = 0.4 * np.sin(2 * np.pi * (200 + 1500 * seconds) * seconds)
    noise = np.random.default_rng(48).normal(0, 0.02, len(tone))
    return (tone + noise).astype(np.float32)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: "subprocess.Popen[str]") -> tuple[str, str]:
    with process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output.strip(), errors.strip()


@pytest.mark.parametrize(
    ("left", "right", "channel", "heard_as"),
    [
        (1.0, -0.9, "mix", 1.0),  # they cancel: the loudest
        (1.0, 0.0, "left", 1.0),
        (0.0, -0.5, "right", -0.5),
        (0.0, 1.0, "left", 0.0),
    ],
)
def test_a_channel_of_a_stereo_microphone(
    server: VirtualMicrophone,
    signal_48k: FloatArray,
    tmp_path: Path,
    left: float,
    right: float,
    channel: str,
    heard_as: float,
) -> None:
    both = np.stack([left * signal_48k, right * signal_48k], axis=1)
    soundfile.write(tmp_path / "played.wav", both, RATE)
    arguments = "quiet room", "3.5", str(tmp_path / "heard.npz"), channel
    process = server.python(LISTEN, *arguments)
    first_line(process)
    server.play(tmp_path / "played.wav")
    output, _ = finish(process)
    assert output == ""
    with np.load(tmp_path / "heard.npz") as heard:
        samples = heard["samples"]
    if not heard_as:
        assert np.abs(samples).max() < 1e-3
        return
    played = heard_as * soxr.resample(signal_48k, RATE, SAMPLE_RATE)
    # What tells that they cancel takes a tenth of a second.
    played = played[SAMPLE_RATE // 4 :]
    at = _position(samples, played)
    assert _error(samples[at : at + len(played)], played) < 0.05


@pytest.mark.parametrize(
    ("name", "device", "rate"),
    [
        ("", "default", 44_100),
        ("mic_a", "mic_a", 44_100),
        ("quiet room", "Monitor of Quiet Room", 48_000),
    ],
)
def test_what_was_played_is_what_comes_in_and_soon(
    server: VirtualMicrophone,
    signal_48k: FloatArray,
    tmp_path: Path,
    name: str,
    device: str,
    rate: int,
) -> None:
    soundfile.write(tmp_path / "played.wav", signal_48k, RATE)
    process = server.python(LISTEN, name, "3.5", str(tmp_path / "heard.npz"))
    assert first_line(process) == (
        f"AudioInfo(source='mic', device='{device}', device_rate={rate})"
    )
    begin = time.monotonic()
    server.play(tmp_path / "played.wav")
    assert finish(process) == ("", "")
    with np.load(tmp_path / "heard.npz") as heard:
        starts, ends = heard["starts"], heard["ends"]
        samples, arrived = heard["samples"], heard["arrived"]
    assert starts[0] == 0
    np.testing.assert_array_equal(starts[1:], ends[:-1])
    assert (ends - starts).max() <= 0.2 * SAMPLE_RATE

    played = soxr.resample(signal_48k, RATE, SAMPLE_RATE)
    at = _position(samples, played)
    error = _error(samples[at : at + len(played)], played)
    assert error < 0.01, f"relative error {error:.3f} at {at}"
    # From the start of the player, its own start included.
    delay = arrived[np.searchsorted(ends, at, side="right")] - begin
    assert 0.0 < delay < 1.5, f"first sample after {delay:.3f} s"


def _position(heard: FloatArray, played: FloatArray) -> int:
    """Where the cross-correlation is highest."""
    n = len(heard)
    spectrum = np.fft.rfft(heard) * np.fft.rfft(played, n).conj()
    return int(np.argmax(np.fft.irfft(spectrum, n)[: n - len(played)]))


def _error(heard: FloatArray, played: FloatArray) -> float:
    """Relative, without a delay of less than one sample, which nothing can avoid."""
    n = len(played)
    a, b = np.fft.rfft(heard), np.fft.rfft(played)
    frequency = np.arange(len(a))
    delays = np.linspace(-1, 1, 81)
    turned = [b * np.exp(-2j * np.pi * frequency * d / n) for d in delays]
    best = min(float(np.linalg.norm(a - t)) for t in turned)
    return best / float(np.linalg.norm(b))


@pytest.mark.parametrize("last", [False, True])
def test_a_microphone_that_vanishes_is_an_error_soon(
    server: VirtualMicrophone, tmp_path: Path, last: bool
) -> None:
    # Where another source is left, PulseAudio moves the stream there and says nothing.
    server.add_sink("doomed", "Doomed")
    if last:
        server.unload("room")
    path = tmp_path / "heard.npz"
    process = server.python(LISTEN, "doomed.monitor", "10", str(path))
    first_line(process)
    begin = time.monotonic()
    server.unload("doomed")
    output, _ = finish(process)
    if last:
        server.add_room()
    moment, error = output.split(" ", 1)
    assert error.startswith(
        "DeviceError 3 the microphone Monitor of Doomed is gone: unplugged"
    )
    assert float(moment) > begin


def test_a_microphone_that_delivers_nothing_for_long_is_gone(
    server: VirtualMicrophone, tmp_path: Path
) -> None:
    server.add_sink("mute", "Mute")
    path = tmp_path / "heard.npz"
    # Not 5 s, to save the tests time.
    code = "import ser_stream.sources.microphone as m; m.SILENT_S = 1.5\n" + LISTEN
    process = server.python(code, "mute.monitor", "10", str(path))
    first_line(process)
    begin = time.monotonic()
    server.pactl("suspend-sink", "mute", "1")
    output, errors = finish(process)
    server.unload("mute")
    assert "3 the microphone Monitor of Mute is gone: nothing has come from" in output
    assert float(output.split()[0]) - begin > 1.2
    assert errors == ""


def test_a_source_that_goes_before_it_is_opened_is_refused_in_one_line(
    server: VirtualMicrophone,
) -> None:
    code = """
import subprocess, sys
from ser_stream.errors import DeviceError
from ser_stream.sources import devices, microphone
found = devices.resolve("brief")
subprocess.run(["pactl", "unload-module", sys.argv[1]], check=True)
try:
    microphone.Microphone(found)
except DeviceError as error:
    print(error)
"""
    server.add_sink("brief", "Brief")
    output, errors = finish(server.python(code, server.modules.pop("brief")))
    assert output.startswith("the microphone Monitor of Brief cannot be opened: ")
    assert "\n" not in output
    assert errors == ""


LATE = """
import time
from ser_stream.sources.microphone import Microphone
with Microphone("mic_a", ring_s=0.5) as source:
    end = 0
    for pause in (0.0, 1.2, 0.0):
        before = time.monotonic()
        time.sleep(pause)
        for _ in range(10):
            chunk = source.read(1.0)
            if chunk.start != end:
                print(round((chunk.start - end) / 16000, 3), chunk.arrived - before)
            end = chunk.end
    print(round(source.statistics().overwritten / 16000, 3))
"""


def test_a_late_reader_sees_the_loss_as_a_jump(server: VirtualMicrophone) -> None:
    output, _ = finish(server.python(LATE))
    jump, waited, overwritten = map(float, output.split())
    # The ring held 0.5 s, and what came in it was not read for 1.2 s or a little more.
    assert waited - overwritten < 0.9
    assert overwritten > 0.6
    assert overwritten <= jump < overwritten + 0.05


SKIP = """
import time
from ser_stream.sources.microphone import Microphone
with Microphone("mic_a") as source:
    first = source.read(1.0)
    before = time.monotonic()
    time.sleep(1.0)
    skipped = source.skip_to_newest()
    slept = time.monotonic() - before
    chunk = source.read(1.0)
    print(slept, skipped / 16000, (chunk.start - first.end) / 16000)
    print(time.monotonic() - chunk.arrived)
"""


def test_a_reader_that_skips_gets_what_came_last(server: VirtualMicrophone) -> None:
    slept, skipped, jump, age = map(float, finish(server.python(SKIP))[0].split())
    assert slept - 0.3 < skipped < slept + 0.3
    assert skipped <= jump < skipped + 0.05
    assert age < 0.7


def test_a_process_that_was_stopped_for_a_while_goes_on_without_a_loss(
    server: VirtualMicrophone, tmp_path: Path
) -> None:
    path = tmp_path / "heard.npz"
    code = LISTEN.replace("assert time", "time")
    process = server.python(code, "mic_a", "3.5", str(path))
    first_line(process)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.1)
    process.send_signal(signal.SIGCONT)
    assert finish(process) == ("", "")
    with np.load(path) as heard:
        np.testing.assert_array_equal(heard["starts"][1:], heard["ends"][:-1])
        assert len(heard["samples"]) > 1.5 * SAMPLE_RATE


def test_two_microphones_with_similar_names_are_not_confused(
    server: VirtualMicrophone, signal_48k: FloatArray, tmp_path: Path
) -> None:
    server.add_sink("twin", "Twin Sink A")
    server.add_source("twin_1", "Twin", "room")
    server.add_source("twin_2", "Twin 2", "twin")
    soundfile.write(tmp_path / "played.wav", signal_48k[:RATE], RATE)
    listeners = [
        server.python(LISTEN, name, "3.5", str(tmp_path / f"{k}.npz"))
        for k, name in enumerate(("Twin", "twin 2"))
    ]
    for listener in listeners:
        first_line(listener)
    server.play(tmp_path / "played.wav", "twin")
    levels = []
    for k, listener in enumerate(listeners):
        finish(listener)
        with np.load(tmp_path / f"{k}.npz") as heard:
            levels.append(float(np.abs(heard["samples"]).max()))
    assert levels[0] < 0.01
    assert levels[1] > 0.3


def test_a_process_that_forgets_to_close_its_microphone_ends_all_the_same(
    server: VirtualMicrophone,
) -> None:
    code = """
from ser_stream.sources.microphone import Microphone
microphone = Microphone("")
assert microphone.read(5.0) is not None
"""
    assert finish(server.python(code)) == ("", "")


MAPPED = """
import sys
from ser_stream.sources.microphone import Microphone

with Microphone(sys.argv[1]) as source:
    assert source.read(30.0) is not None
    lines = open("/proc/self/maps").read().splitlines()
    print([line for line in lines if "pulseaudio" in line and "memfd" in line])
"""


@pytest.mark.parametrize("source", ["", "room.monitor"])
def test_the_sound_server_shares_no_memory_with_us(
    server: VirtualMicrophone, source: str
) -> None:
    # Where it does, libpulse sometimes waits for ever once the server is killed.
    with server.python(MAPPED, source) as process:
        assert process.communicate() == ("[]\n", "")
