"""Reads recordings by every way that bytes can come."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders import Damage
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.recorded import Recorded, Wanted


@dataclass(frozen=True, slots=True)
class Heard:
    """All that a reader gave of a recording."""

    samples: FloatArray
    starts: tuple[int, ...]
    """Of the stretches between gaps, sample indices."""
    end: int
    damage: Damage | None

    @property
    def seconds(self) -> float:
        return len(self.samples) / 16_000


def hear(recorded: Recorded) -> Heard:
    """Read all of an open recording, and close it."""
    parts, starts, end = [np.zeros(0, np.float32)], [], -1
    with recorded:
        for chunk in recorded.chunks():
            if chunk.start != end:
                starts.append(chunk.start)
            end = chunk.end
            parts.append(chunk.samples)
        return Heard(np.concatenate(parts), tuple(starts), end, recorded.damage)


def hear_file(path: Path, wanted: Wanted | None = None) -> Heard:
    return hear(Recorded.open(path, wanted))


def hear_pipe(content: bytes, piece: int = 4999) -> Heard:
    """By a pipe, as standard input comes."""
    reading, writing = os.pipe()
    writer = threading.Thread(target=_write, args=(writing, content, piece))
    writer.start()
    try:
        return hear(Recorded(ByteStream(reading, "standard input")))
    finally:
        os.close(reading)
        writer.join()


def hear_fifo(content: bytes, path: Path, piece: int = 4999) -> Heard:
    """By a named pipe, which is made."""
    os.mkfifo(path)

    def write() -> None:
        _write(os.open(path, os.O_WRONLY), content, piece)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return hear(Recorded.open(path))
    finally:
        writer.join()


def _write(fd: int, content: bytes, piece: int) -> None:
    try:
        for at in range(0, len(content), piece):
            os.write(fd, content[at : at + piece])
    except BrokenPipeError:
        pass  # It refused what it read.
    finally:
        os.close(fd)
