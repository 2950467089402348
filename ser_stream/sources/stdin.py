"""Standard input: a WAV stream, or raw signed 16-bit little-endian samples."""

import logging
import os
import select
import sys
from typing import Self

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import AudioInfo, Chunk
from ser_stream.sources.intake import Intake
from ser_stream.sources.pacing import Pacer
from ser_stream.sources.wav_stream import Encoding, read_exactly, read_wav_header

_LOGGER = logging.getLogger(__name__)
READ_SIZE = 64 * 1024
"""Bytes asked for at a time."""


def open_stdin(rate: int, channels: int, realtime: bool) -> "StdinSource":
    """Look at the first bytes and decide between WAV and raw samples.

    Raises:
        SourceError: if a WAV header is broken or its format is not PCM or float.
    """
    if sys.stdin is None:
        raise SourceError("standard input is closed")
    fd = sys.stdin.fileno()
    if os.isatty(fd):
        raise SourceError(
            "--input - reads audio from a pipe or file, but standard input is a "
            "terminal; try: arecord -f S16_LE -r 16000 | ser-stream listen --input -"
        )
    head = read_exactly(fd, 12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        encoding = read_wav_header(fd)
        return StdinSource(fd, encoding, b"", realtime)
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            raise SourceError(
                f"standard input is {name}; it takes WAV or raw samples. Give the file "
                "to --input by its name, or convert it first"
            )
    return StdinSource(fd, Encoding(rate, channels, "<i2"), head, realtime)


_COMPRESSED = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"FORM": "AIFF",
    b"RF64": "RF64",
    b"RIFX": "RIFX",
}


class StdinSource:
    """Samples from a pipe, in whatever pieces they come."""

    def __init__(
        self, fd: int, encoding: Encoding, head: bytes, realtime: bool
    ) -> None:
        self._fd = fd
        self._encoding = encoding
        self._bytes = head
        self._n_bytes = len(head)
        self._realtime = realtime
        self._intake = Intake("standard input", encoding.rate, encoding.channels)
        self._pacer = Pacer(realtime)
        self.info = AudioInfo("stdin", "-", encoding.rate)
        self.live = False
        self.ended = False

    def read(self, timeout: float, /) -> Chunk | None:
        """What the pipe holds now; see `Source.read`."""
        return self._pacer.next(lambda: self._load(timeout), timeout)

    def _load(self, timeout: float) -> Chunk | None:
        if self.ended or not select.select([self._fd], [], [], timeout)[0]:
            return None
        size = self._encoding.frame_size
        # At real-time pace a large read would come all at once, and late.
        wanted = size * self._encoding.rate // 10 if self._realtime else READ_SIZE
        data = os.read(self._fd, wanted)
        length = self._encoding.length
        self.ended = not data
        if length:
            # What follows the audio in a WAV file is no audio.
            data = data[: max(0, length - self._n_bytes)]
            self.ended = self.ended or self._n_bytes + len(data) >= length
        self._n_bytes += len(data)
        data = self._bytes + data
        whole = len(data) // size * size
        self._bytes = data[whole:]
        if self.ended:
            self._warn_of_the_end()
        samples = self._encoding.decode(data[:whole])
        return self._intake.take(samples, last=self.ended)

    def _warn_of_the_end(self) -> None:
        if self._bytes:
            _LOGGER.warning(
                "standard input ends inside a sample: the last %s ignored",
                "byte is" if len(self._bytes) == 1 else f"{len(self._bytes)} bytes are",
            )
        if self._n_bytes == 0:
            raise SourceError("standard input is empty: no audio came")
        if self._n_bytes < self._encoding.length:
            raise SourceError(
                f"standard input is cut short: {self._n_bytes} of "
                f"{self._encoding.length} bytes of audio came"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        # Standard input is not ours to close.
        return
