"""Standard input: a WAV stream, or raw signed 16-bit little-endian samples."""

import logging
import os
import select
import struct
import sys
import time
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import SourceError
from ser_stream.events import AudioInfo
from ser_stream.resample import MonoResampler
from ser_stream.sources.pacing import Pacer
from ser_stream.sources.samples import SampleCheck
from ser_stream.values import Chunk, FloatArray

_LOGGER = logging.getLogger(__name__)
READ_SIZE = 64 * 1024
"""Bytes asked for at a time."""


def open_stdin(rate: int, channels: int, realtime: bool) -> "StdinSource":
    """Look at the first bytes and decide between WAV and raw samples.

    Raises:
        SourceError: if a WAV header is broken or its format is not PCM or float.
    """
    fd = sys.stdin.fileno()
    if os.isatty(fd):
        raise SourceError(
            "--input - reads audio from a pipe or file, but standard input is a "
            "terminal; try: arecord -f S16_LE -r 16000 | ser-stream listen --input -"
        )
    head = _read_exactly(fd, 12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        encoding = _read_wav_header(fd)
        return StdinSource(fd, encoding, b"", realtime)
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            raise SourceError(
                f"standard input is {name}; it takes WAV or raw samples. Give the file "
                "to --input by its name, or convert it first"
            )
    return StdinSource(fd, Encoding(rate, channels, "<i2"), head, realtime)


_COMPRESSED = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"FORM": "AIFF"}


class Encoding:
    """How bytes become samples."""

    def __init__(
        self, rate: int, channels: int, dtype: str, *, length: int = 0
    ) -> None:
        self.rate = rate
        self.channels = channels
        self.dtype = dtype
        """numpy's name; `<i3` stands for packed 24-bit samples, which numpy lacks."""
        self.length = length
        """Bytes of audio that the header promises; 0 where it does not say."""

    @property
    def frame_size(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * int(self.dtype[2:])

    def decode(self, data: bytes) -> FloatArray:
        """Whole frames of bytes -> samples, shape (n, channels), range [-1, 1]."""
        samples: NDArray[np.floating]
        if self.dtype == "<i3":
            wide = np.zeros((len(data) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples = wide.view("<i4")[:, 0] / np.float32(2**31)
        else:
            raw = np.frombuffer(data, self.dtype)
            if self.dtype == "|u1":
                samples = (raw.astype(np.float32) - 128) / np.float32(128)
            elif self.dtype[1] == "f":
                samples = raw
            else:
                bits = 8 * int(self.dtype[2:])
                samples = raw / np.float32(2 ** (bits - 1))
        return samples.astype(np.float32).reshape(-1, self.channels)


_WAV_DTYPES = {
    (1, 8): "|u1",
    (1, 16): "<i2",
    (1, 24): "<i3",
    (1, 32): "<i4",
    (3, 32): "<f4",
    (3, 64): "<f8",
}


def _read_wav_header(fd: int) -> Encoding:
    # libsndfile wants to seek, which a pipe cannot; the header is all we need.
    rate = channels = 0
    dtype = ""
    while True:
        head = _read_exactly(fd, 8)
        if len(head) < 8:
            raise SourceError("standard input: the WAV header ends before its audio")
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            break
        if size > 1 << 20:
            raise SourceError(f"standard input: WAV chunk {name!r} of {size} bytes")
        body = _read_exactly(fd, size + size % 2)
        if name == b"fmt " and len(body) >= 16:
            tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            if tag == 0xFFFE and len(body) >= 26:  # WAVE_FORMAT_EXTENSIBLE
                tag = struct.unpack("<H", body[24:26])[0]
            dtype = _WAV_DTYPES.get((tag, bits), "")
            if not dtype:
                raise SourceError(
                    f"standard input: WAV of format {tag} with {bits} bits; allowed: "
                    "PCM of 8, 16, 24 or 32 bits, float of 32 or 64"
                )
    if not dtype or not 1000 <= rate <= 768_000 or not 1 <= channels <= 64:
        raise SourceError(
            f"standard input: WAV header with rate {rate} Hz and {channels} channels"
        )
    # Programs that write to a pipe do not know the length yet.
    length = size if 0 < size < 0x7FFF0000 else 0
    return Encoding(rate, channels, dtype, length=length)


def _read_exactly(fd: int, n: int) -> bytes:
    data = b""
    while len(data) < n:
        more = os.read(fd, n - len(data))
        if not more:
            break
        data += more
    return data


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
        self._resampler = MonoResampler(encoding.rate, encoding.channels)
        self._check = SampleCheck("standard input")
        self._pacer = Pacer(realtime)
        self._position = 0
        self._next = 0
        self._chunk: Chunk | None = None
        self.info = AudioInfo("stdin", "-", encoding.rate)
        self.live = False
        self.ended = False

    def read(self, timeout: float, /) -> Chunk | None:
        """What the pipe holds now; see `Source.read`."""
        if self._chunk is None:
            self._chunk = self._load(timeout)
        if self._chunk is None or not self._pacer.wait(self._chunk.end, timeout):
            return None
        chunk, self._chunk = self._chunk, None
        return Chunk(chunk.start, chunk.samples, time.monotonic())

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
        samples = self._check(samples, self._position)
        self._position += len(samples)
        chunk = Chunk(self._next, self._resampler.feed(samples, last=self.ended))
        self._next = chunk.end
        return chunk

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
