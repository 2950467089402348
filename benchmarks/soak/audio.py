"""The bundled minute of speech, over and over: as a file, and through a pipe."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

import numpy as np
import soundfile

from ser_stream.pipeline.values import SAMPLE_RATE
from tests.helpers.running_daemon import RunningDaemon, running_daemon

MINUTE = Path("tests/data/emodb_minute.flac")
PIECE = 64 * 1024
"""Bytes written at once; what a pipe holds."""


def minute() -> bytes:
    """Its samples, signed 16-bit little-endian."""
    samples, rate = soundfile.read(MINUTE, dtype="int16")
    assert rate == SAMPLE_RATE
    return bytes(samples.astype("<i2").tobytes())


def write_loop(path: Path, seconds: float) -> Path:
    """A WAV file of so many seconds."""
    samples = np.frombuffer(minute(), "<i2")
    left = round(seconds * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16") as file:
        while left > 0:
            file.write(samples[:left])
            left -= len(samples)
    return path


@contextmanager
def daemon_on_loop(seconds: float) -> Iterator[RunningDaemon]:
    """A daemon on a loop of so many seconds at real-time pace, on TCP as well."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_loop(Path(folder) / "loop.wav", seconds)
        with running_daemon(source=path, tcp=True) as daemon:
            yield daemon


class Feeder:
    """A thread that writes samples into a pipe as fast as they are taken."""

    def __init__(self, pipe: IO[bytes], samples: int, pause_at: int) -> None:
        """Feed `samples` in all, wait for `go_on` at `pause_at`; close the pipe."""
        self._pipe = pipe
        self._n_bytes = 2 * samples
        self._pause_at = 2 * pause_at
        self._go_on = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.written = 0
        """Bytes so far."""
        self.paused = threading.Event()
        """Set when `pause_at` is reached, or the daemon has ended."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._go_on.set()
        self._thread.join(30)

    @property
    def seconds(self) -> float:
        """Seconds of audio written so far."""
        return self.written / 2 / SAMPLE_RATE

    def go_on(self) -> None:
        self._go_on.set()

    def _run(self) -> None:
        data = minute()
        try:
            self._write(data, self._pause_at)
            self.paused.set()
            self._go_on.wait()
            self._write(data, self._n_bytes)
            self._pipe.close()
        except (BrokenPipeError, ValueError):
            self.paused.set()  # the daemon is gone; end the wait

    def _write(self, data: bytes, end: int) -> None:
        while self.written < end:
            at = self.written % len(data)
            piece = data[at : min(at + PIECE, at + end - self.written)]
            self._pipe.write(piece)
            self.written += len(piece)
