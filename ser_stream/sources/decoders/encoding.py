"""How bytes become samples."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

RawEncoding = Literal["s16", "s24", "s32", "f32", "alaw", "mulaw"]
RAW_DTYPES: Final[dict[str, str]] = {
    "s16": "<i2",
    "s24": "<i3",
    "s32": "<i4",
    "f32": "<f4",
    "alaw": "alaw",
    "mulaw": "mulaw",
}
"""Names of encodings that a user may give, all little-endian."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """The form of bare samples."""

    rate: int
    channels: int
    dtype: str
    """numpy's name; `<i3` and `>i3` are packed 24-bit samples, `alaw` and `mulaw` bytes
    by ITU-T G.711, all of which numpy lacks."""

    @property
    def frame_size(self) -> int:
        """Bytes of one sample of all channels."""
        each = 1 if self.dtype in ("alaw", "mulaw") else int(self.dtype[2:])
        return self.channels * each

    def decode(self, data: bytes) -> FloatArray:
        """Whole frames of bytes -> samples, shape (n, channels), range [-1, 1].

        Floats are as they are: they may be beyond full scale, or no numbers.
        """
        samples: NDArray[np.floating]
        if self.dtype in ("alaw", "mulaw"):
            samples = g711_table(self.dtype)[np.frombuffer(data, np.uint8)]
        elif self.dtype[1:] == "i3":
            wide = np.zeros((len(data) // 3, 4), np.uint8)
            order = slice(None) if self.dtype[0] == "<" else slice(None, None, -1)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)[:, order]
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
        # A double may be beyond what a float holds: infinite then, and told as that.
        with np.errstate(over="ignore", invalid="ignore"):
            return samples.astype(np.float32).reshape(-1, self.channels)


@dataclass(frozen=True, slots=True)
class RawForm:
    """What samples without a header are, as their user says."""

    rate: int = SAMPLE_RATE
    channels: int = 1
    encoding: RawEncoding = "s16"

    def to_encoding(self) -> Encoding:
        return Encoding(self.rate, self.channels, RAW_DTYPES[self.encoding])


@lru_cache(maxsize=2)
def g711_table(law: str) -> FloatArray:
    """Samples of all 256 bytes of the telephone's logarithmic codes, range [-1, 1].

    Source: ITU-T Recommendation G.711.
    """
    code = np.arange(256)
    if law == "alaw":
        code = code ^ 0x55
        segment, step = (code >> 4) & 7, code & 15
        size = np.where(
            segment == 0,
            (step << 4) + 8,
            ((step << 4) + 0x108) << np.maximum(segment - 1, 0),
        )
        signed = np.where(code & 0x80, size, -size)
    else:
        code = ~code & 0xFF
        segment, step = (code >> 4) & 7, code & 15
        size = (((step << 3) + 0x84) << segment) - 0x84
        signed = np.where(code & 0x80, -size, size)
    table: FloatArray = (signed / 32768.0).astype(np.float32)
    return table
