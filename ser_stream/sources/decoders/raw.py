"""Bare samples, of which only their user knows what they are."""

import logging

import numpy as np

from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders import Damage
from ser_stream.sources.decoders.byte_stream import READ_SIZE, ByteStream
from ser_stream.sources.decoders.encoding import Encoding

_LOGGER = logging.getLogger(__name__)


class FrameReader:
    """Whole frames of samples from bytes that come in any pieces."""

    def __init__(
        self, stream: ByteStream, encoding: Encoding, length: int | None = None
    ) -> None:
        """Read up to `length` bytes of a stream, or to its end."""
        self._stream = stream
        self.encoding = encoding
        self._left = length
        self._bytes = b""

    def read(self, n: int) -> FloatArray:
        """The next frames, at least one, at most n, (m, channels); none at the end."""
        size = self.encoding.frame_size
        wanted = min(n * size, max(READ_SIZE // size, 1) * size)
        while True:
            missing = wanted - len(self._bytes)
            if self._left is not None:
                missing = min(missing, self._left)
            more = self._stream.read(missing) if missing > 0 else b""
            if self._left is not None:
                self._left -= len(more)
            self._bytes += more
            whole = len(self._bytes) // size * size
            if whole or not more:
                data, self._bytes = self._bytes[:whole], self._bytes[whole:]
                if not data:
                    return np.zeros((0, self.encoding.channels), np.float32)
                return self.encoding.decode(data)

    @property
    def rest(self) -> int:
        """Bytes at the end that are less than a frame."""
        return len(self._bytes)

    @property
    def missing(self) -> int:
        """Bytes of those that were promised that have not come."""
        return self._left or 0


class RawDecoder:
    """Samples without a header; see `Decoder`."""

    def __init__(self, stream: ByteStream, encoding: Encoding) -> None:
        self.rate, self.channels = encoding.rate, encoding.channels
        self.damage: Damage | None = None
        self._stream = stream
        self._frames = FrameReader(stream, encoding)

    def read(self, n: int, /) -> FloatArray:
        frames = self._frames.read(n)
        if not len(frames) and self._frames.rest:
            rest = self._frames.rest
            _LOGGER.warning(
                "%s ends inside a sample: the last %s ignored",
                self._stream.name,
                "byte is" if rest == 1 else f"{rest} bytes are",
            )
        return frames

    def next_recording(self) -> bool:
        return False

    def close(self) -> None:
        self._stream.close()
