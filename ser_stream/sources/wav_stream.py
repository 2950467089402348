"""A WAV stream on a pipe, which cannot be sought in: header, then samples."""

import os
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources import MAX_RATE, MIN_RATE


@dataclass(frozen=True, slots=True)
class Encoding:
    """How bytes become samples."""

    rate: int
    channels: int
    dtype: str
    """numpy's name; `<i3` stands for packed 24-bit samples, which numpy lacks."""
    length: int = 0
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


def read_wav_header(fd: int) -> Encoding:
    """Read up to the first sample; `RIFF....WAVE` has been read already.

    libsndfile does this for files, but wants to seek, which a pipe cannot.

    Raises:
        SourceError: if the header is broken or its format is not PCM or float.
    """
    rate = channels = 0
    dtype = ""
    while True:
        head = read_exactly(fd, 8)
        if len(head) < 8:
            raise SourceError("standard input: the WAV header ends before its audio")
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            break
        if size > 1 << 20:
            raise SourceError(f"standard input: WAV chunk {name!r} of {size} bytes")
        body = read_exactly(fd, size + size % 2)
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
    if not dtype or not MIN_RATE <= rate <= MAX_RATE or not 1 <= channels <= 64:
        raise SourceError(
            f"standard input: WAV header with rate {rate} Hz and {channels} channels"
        )
    # Programs that write to a pipe do not know the length yet.
    length = size if 0 < size < 0x7FFF0000 else 0
    return Encoding(rate, channels, dtype, length=length)


def read_exactly(fd: int, n: int) -> bytes:
    """Read n bytes, or less at the end."""
    data = b""
    while len(data) < n:
        more = os.read(fd, n - len(data))
        if not more:
            break
        data += more
    return data
