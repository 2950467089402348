"""Any file that libsndfile reads: WAV, FLAC, OGG, MP3, AIFF, ..."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from ser_stream.errors import SourceError
from ser_stream.pipeline.blocks import BLOCK_LENGTH, BLOCK_PHASE
from ser_stream.pipeline.values import SAMPLE_RATE, AudioInfo, Chunk, FloatArray
from ser_stream.sources import MAX_RATE, MIN_RATE
from ser_stream.sources.intake import Intake
from ser_stream.sources.pacing import Pacer

CHUNK_LENGTH = 2 * BLOCK_LENGTH
"""Samples at 16 kHz; the default step."""
FIRST_LENGTH = BLOCK_PHASE + BLOCK_LENGTH
"""After it and two chunks the first prediction falls due."""


class FileSource:
    """A recording, at real-time pace or as fast as it is asked for."""

    def __init__(self, path: Path, *, realtime: bool) -> None:
        """Open a file.

        Raises:
            SourceError: if it cannot be read, is no audio, or holds none.
        """
        self._name = str(path)
        check_readable(path)
        try:
            # As bytes: a name need not be UTF-8.
            self._file = soundfile.SoundFile(os.fsencode(path))
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            # TypeError: soundfile asks for rate and channels of a file named .raw.
            raise SourceError(f"{self._name} is not audio: {_reason(error)}") from None
        rate = self._file.samplerate
        if self._file.frames == 0 or not MIN_RATE <= rate <= MAX_RATE:
            self._file.close()
            raise SourceError(
                f"{self._name} holds no samples: empty or cut short"
                if self._file.frames == 0
                else f"{self._name} has a rate of {rate} Hz; allowed: {MIN_RATE} to "
                f"{MAX_RATE}"
            )
        self.info = AudioInfo("file", path.name, rate)
        self._missing = _missing_bytes(self._file.extra_info)
        self._intake = Intake(self._name, rate, self._file.channels)
        self._pacer = Pacer(realtime)
        self._ahead = np.zeros((0, self._file.channels), np.float32)
        self._read = 0
        self.live = False
        self.ended = False

    @property
    def duration_s(self) -> float:
        """Length by the header, seconds."""
        return float(self._file.frames / self._file.samplerate)

    def read(self, timeout: float, /) -> Chunk | None:
        """The next 0.2 s; see `Source.read`."""
        return self._pacer.next(self._load, timeout)

    def _load(self) -> Chunk | None:
        if self.ended:
            return None
        # Chunks end where steps fall due, so that paced audio is used at once.
        length = CHUNK_LENGTH if self._intake.taken else FIRST_LENGTH
        wanted = round(length * self._file.samplerate / SAMPLE_RATE)
        if len(self._ahead) < wanted:
            self._read_ahead(wanted)
        samples, self._ahead = self._ahead[:wanted], self._ahead[wanted:]
        self.ended = not len(samples)
        if self.ended and (self._missing or self._intake.taken < self._file.frames):
            raise SourceError(
                f"{self._name} is cut short: its header promises more than the "
                f"{self._heard_s} s that are there"
            )
        return self._intake.take(samples, last=self.ended)

    def _read_ahead(self, wanted: int) -> None:
        # A second or more at once: each call costs more than the samples it brings.
        more = max(wanted, self._file.samplerate)
        for n in (more, wanted - len(self._ahead)):
            try:
                samples = self._file.read(n, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as error:
                if n < more and not len(self._ahead):
                    self.ended = True
                    raise SourceError(
                        f"{self._name} is damaged or cut short after "
                        f"{self._heard_s} s: {_reason(error)}"
                    ) from None
                # Damage ahead: what lies before it is read first, in small pieces.
                with contextlib.suppress(soundfile.SoundFileError):
                    self._file.seek(self._read)
            else:
                self._read += len(samples)
                self._ahead = np.concatenate([self._ahead, samples])
                return

    @property
    def _heard_s(self) -> str:
        return f"{self._intake.taken / self._file.samplerate:.2f}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def read_pieces(path: Path) -> Iterator[FloatArray]:
    """All samples of a file, mono at 16 kHz, in pieces of 0.2 s, (n,).

    Raises:
        SourceError: if it cannot be read, wherever in it that shows.
    """
    with FileSource(path, realtime=False) as source:
        while not source.ended:
            chunk = source.read(1.0)
            if chunk is not None:
                yield chunk.samples


def check_readable(path: Path) -> None:
    """Say why a file cannot be read, before a library guesses.

    Raises:
        SourceError: if it is absent, forbidden, empty, or no regular file.
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
    except FileNotFoundError:
        raise SourceError(
            f"there is no file {path}; inputs are mic, mic:NAME, an audio file, or - "
            "for standard input"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{path} cannot be read: {reason}") from None
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{path} is a folder; name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path} is no regular file; pipe it in with --input -")
    if status.st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes)")


def _reason(error: Exception) -> str:
    # libsndfile repeats the path; we have said it.
    text = getattr(error, "error_string", None) or str(error)
    return str(text).strip().rstrip(".").lower().removeprefix("error : ")


def _missing_bytes(log: str) -> bool:
    """Whether libsndfile's log says that the data chunk ends early."""
    for match in re.finditer(
        r"^ ?(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", log, re.M
    ):
        promised, there = int(match[1]), int(match[2])
        # Writers to pipes leave 0 or the largest number in the header.
        if there < promised < 0x7FFF0000:
            return True
    return False
