"""Records for a moment, and measures what came; nothing of it is kept.

It runs in a process of its own, `python -m ser_stream.doctor.microphone_test NAME
SECONDS`, which prints one JSON object: PortAudio and what lies below can hang or crash.
"""

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ser_stream.errors import SerStreamError
from ser_stream.pipeline.values import SAMPLE_RATE, Chunk, FloatArray

TIMEOUT_S = 20.0
"""How long listing and opening may take."""
FIRST_S = 5.0
"""How long the first samples may take."""
SETTLING_S = 0.3
"""Many devices click or fade in when they are opened; that is not measured."""
CLIPPED = 0.999
"""Amplitude from which on a sample counts as clipped."""


@dataclass
class MicrophoneTest:
    portaudio: str = ""
    devices: list[dict[str, Any]] = field(default_factory=list)
    """All inputs, as `ser-stream devices --json` has them."""
    failed: str = ""
    """The step that failed: load, list, resolve, open or read; "" if none."""
    error: str = ""
    device: str = ""
    selector: str = ""
    pulse_source: str | None = None
    seconds: float = 0.0
    """Audio that came."""
    missing: float = 0.0
    """Share of the samples that should have come and did not, 0 to 1."""
    peak: float = 0.0
    """Largest amplitude, 0 to 1."""
    loudest_dbfs: float = -200.0
    """Root mean square of the loudest 0.1 s."""
    clipped: float = 0.0
    """Share of samples at full scale."""


def run_test(name: str, seconds: float) -> MicrophoneTest:
    """Listen in a process of its own; whatever happens there, this answers.

    The name is as after `mic:`, "" for the default device.
    """
    command = [sys.executable, "-m", "ser_stream.doctor.microphone_test", name]
    # However this process found its modules, that one finds them too.
    path = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        done = subprocess.run(
            [*command, str(seconds)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds + TIMEOUT_S,
            check=False,
        )
        return MicrophoneTest(**json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        return MicrophoneTest(
            failed="hang", error=f"no answer within {seconds + TIMEOUT_S:g} s"
        )
    except (ValueError, TypeError):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return MicrophoneTest(
            failed="crash", error=" ".join([f"status {done.returncode}", *last])
        )


def _listen(name: str, seconds: float) -> MicrophoneTest:
    # Here, because the process that only asks should not start PortAudio.
    from ser_stream.sources import portaudio
    from ser_stream.sources.devices import choose, list_devices
    from ser_stream.sources.microphone import Microphone

    result = MicrophoneTest(failed="load")
    try:
        result.portaudio = portaudio.load().get_portaudio_version()[1].split(",")[0]
        result.failed = "list"
        devices = list_devices()
        result.devices = [{**asdict(d), "selector": d.selector} for d in devices]
        result.failed = "resolve"
        device = choose(name, devices)
        result.device, result.selector = device.name, device.selector
        result.pulse_source = device.pulse_source
        result.failed = "open"
        with Microphone(name) as microphone:
            result.failed = "read"
            chunks = []
            # From the first chunk: a source that was asleep takes a while to wake up,
            # which is no stutter.
            first = microphone.read(FIRST_S)
            deadline = time.monotonic() + SETTLING_S + seconds
            while isinstance(first, Chunk):
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    break
                heard = microphone.read(remaining)
                if isinstance(heard, Chunk):
                    chunks.append(heard.samples)
        result.failed = ""
        _measure(result, chunks, seconds)
    except SerStreamError as error:
        result.error = str(error)
    return result


def _measure(result: MicrophoneTest, chunks: list[FloatArray], seconds: float) -> None:
    samples = np.concatenate([np.zeros(0, np.float32), *chunks])
    expected = (SETTLING_S + seconds) * SAMPLE_RATE
    result.seconds = len(samples) / SAMPLE_RATE
    result.missing = max(0.0, 1 - len(samples) / expected)
    steady = np.abs(samples[round(SETTLING_S * SAMPLE_RATE) :])
    length = SAMPLE_RATE // 10
    pieces = steady[: len(steady) // length * length].reshape(-1, length)
    if not len(pieces):
        return
    result.peak = float(steady.max())
    result.clipped = float(np.mean(steady >= CLIPPED))
    loudest = float(np.sqrt(np.mean(pieces.astype(np.float64) ** 2, axis=1).max()))
    result.loudest_dbfs = 20 * math.log10(max(loudest, 1e-10))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_listen(sys.argv[1], float(sys.argv[2])))))
