"""A microphone made of software, for tests of the real PortAudio.

A private PulseAudio server plays into a null sink, and the sink's monitor is the
microphone. ALSA's PulseAudio plug-in shows it to PortAudio. Nothing of the user's own
sound is touched: server, socket, home and ALSA's configuration lie in a temporary
folder, and reach only the subprocesses that get `env`.
"""

import contextlib
import ctypes.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

REPOSITORY = ROOT
RATE = 48_000
PROGRAMS = ("pulseaudio", "pactl", "paplay")
ALSA_CONFIG = Path("/usr/share/alsa/alsa.conf")


def require() -> None:
    """Skip the test, aloud, where the virtual microphone cannot be.

    With SER_STREAM_REQUIRE_MICROPHONE=1 it fails instead.
    """
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if ctypes.util.find_library("portaudio") is None:
        missing.append("libportaudio2")
    if not list(Path("/usr").glob("lib*/**/alsa-lib/libasound_module_pcm_pulse.so")):
        missing.append("libasound2-plugins")
    if not missing:
        return
    reason = f"the virtual microphone needs {', '.join(missing)}"
    if os.environ.get("SER_STREAM_REQUIRE_MICROPHONE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class VirtualMicrophone:
    """A running server; sources come and go by `add_sink` and `unload`."""

    folder: Path
    env: dict[str, str]
    """For subprocesses that are to record from it."""
    modules: dict[str, str] = field(default_factory=dict)
    server: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the server, with one sink, `room`, as the default."""
        log = self.folder / "pulseaudio.log"
        with log.open("wb") as output:
            self.server = subprocess.Popen(
                [
                    "pulseaudio",
                    "-n",
                    "--daemonize=no",
                    "--exit-idle-time=-1",
                    "--disallow-exit",
                    "--use-pid-file=no",
                    "--load=module-native-protocol-unix",
                ],
                env=self.env,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                self.pactl("info")
                break
            except subprocess.CalledProcessError:
                if self.server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"PulseAudio does not start: {log.read_text()}")
                time.sleep(0.05)
        self.add_room()

    def send_signal(self, number: int) -> None:
        """Stop the server, let it go on, or kill it."""
        assert self.server is not None
        self.server.send_signal(number)
        if number == signal.SIGKILL:
            self.server.wait()
            self.modules.clear()

    def end(self) -> None:
        """End the server, whatever state it is in."""
        assert self.server is not None
        self.server.send_signal(signal.SIGCONT)
        self.server.terminate()
        self.server.wait(120)

    def pactl(self, *arguments: str) -> str:
        """What `pactl` says."""
        done = subprocess.run(
            ["pactl", *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout.strip()

    def add_room(self) -> None:
        """The sink that `play` plays into; its monitor is the default source."""
        self.add_sink("room", "Quiet Room")
        self.pactl("set-default-source", "room.monitor")

    def add_sink(self, name: str, description: str) -> None:
        """A sink, the monitor of which, `name.monitor`, is a source."""
        self.modules[name] = self.pactl(
            "load-module",
            "module-null-sink",
            f"sink_name={name}",
            f"rate={RATE}",
            # Otherwise the sink is up to 2 s ahead of what is played.
            "norewinds=1",
            f"sink_properties='device.description=\"{description}\"'",
        )

    def add_source(self, name: str, description: str, sink: str) -> None:
        """A source that is no monitor, as a microphone is none; it records `sink`."""
        self.modules[name] = self.pactl(
            "load-module",
            "module-remap-source",
            f"source_name={name}",
            f"master={sink}.monitor",
            f"source_properties='device.description=\"{description}\"'",
        )

    def add_hum(self, sink: str) -> None:
        """Make what `sink` plays never silent."""
        name = f"hum in {sink}"
        self.modules[name] = self.pactl("load-module", "module-sine", f"sink={sink}")

    def sources(self) -> dict[str, str]:
        """The numbers of all sources, by name."""
        rows = self.pactl("list", "short", "sources").splitlines()
        return {name: number for number, name, *_ in (r.split("\t") for r in rows)}

    def recordings(self) -> int:
        """How many programs record now."""
        return len(self.pactl("list", "short", "source-outputs").splitlines())

    def unload(self, name: str) -> None:
        """Take a sink or source away, as if unplugged."""
        self.pactl("unload-module", self.modules.pop(name))

    def play(self, path: Path, sink: str = "room") -> None:
        """Play a file to its end."""
        command = ["paplay", f"--device={sink}", "--latency-msec=1000", str(path)]
        subprocess.run(command, env=self.env, check=True, timeout=90)

    def python(self, code: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start a Python process that runs `code` with this microphone."""
        return start_python(code, self.env, *arguments)


def start_python(
    code: str, env: dict[str, str], *arguments: str
) -> "subprocess.Popen[str]":
    """Start a Python process; its output and errors are pipes of text."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=env,
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment(folder: Path, alsa_config: str = "") -> dict[str, str]:
    """The environment of a user without sound: no server, no device but real cards."""
    run = folder / "run"
    home = folder / "home"
    run.mkdir(mode=0o700)
    home.mkdir()
    config = folder / "alsa.conf"
    config.write_text(f"<{ALSA_CONFIG}>\n{alsa_config}")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PULSE_", "XDG_"))}
    return env | {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(run),
        "ALSA_CONFIG_PATH": str(config),
        # Named, so that no client starts a server of its own.
        "PULSE_SERVER": f"unix:{run}/pulse/native",
        "PULSE_RUNTIME_PATH": str(run / "pulse"),
        "PYTHONPATH": str(REPOSITORY),
    }


ALSA_PCM = """
pcm.mic_a {
    type pulse
    device room.monitor
    hint { show on description "mic_a" }
}
"""


@contextlib.contextmanager
def virtual_microphone() -> Iterator[VirtualMicrophone]:
    """A server with one sink, `room`, and its monitor as the default source."""
    require()
    # Not pytest's folder: a socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="mic") as name:
        folder = Path(name)
        microphone = VirtualMicrophone(folder, environment(folder, ALSA_PCM))
        try:
            microphone.start()
            yield microphone
        finally:
            if microphone.server is not None:
                microphone.end()
