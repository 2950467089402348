"""WAV, RIFX, RF64 and BW64 as they come: header, samples, what follows.

libsndfile reads them too, but believes a length of 0, and wants to seek. What is
compressed inside, it reads.
"""

import struct
from dataclasses import dataclass

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders import MAX_CHANNELS, MAX_RATE, MIN_RATE, Damage
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.decoders.encoding import Encoding
from ser_stream.sources.decoders.raw import FrameReader

_DTYPES = {
    (1, 8): "|u1",
    (1, 16): "{}i2",
    (1, 24): "{}i3",
    (1, 32): "{}i4",
    (3, 32): "{}f4",
    (3, 64): "{}f8",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
"""By the format's tag and bits."""
MAGICS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
_NO_LENGTH = 0x7FFF0000
"""Programs that write to a pipe leave 0 or such a large number in the header."""
_MOST_HEADER = 16 << 20
"""Bytes that chunks before the samples may have: cover pictures are among them."""
_MOST_PARTS = 1000
"""Behind the samples. More are not looked at: they may be of no bytes each."""
_MOST_REST = 4096
"""Bytes behind the samples that may be anything."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the samples."""

    encoding: Encoding | None
    """None for a format that is compressed, and not read here."""
    tag: int
    """Of the format, by Microsoft's mmreg.h."""
    length: int | None
    """Bytes of samples that are promised."""
    size: int
    """Bytes of the header itself."""
    order: str
    """Of bytes in numbers, as `struct` has it."""


def is_wav(head: bytes) -> bool:
    """Whether 12 bytes begin a file of this family."""
    return head[:4] in MAGICS and head[8:12] == b"WAVE"


def read_header(stream: ByteStream) -> Header:
    """Read up to the first sample.

    Raises:
        SourceError: if the header is broken.
    """
    name, begin = stream.name, stream.position
    order = ">" if stream.read_exactly(12)[:4] == b"RIFX" else "<"
    encoding: Encoding | None = None
    tag, long_length = 0, None
    while True:
        head = stream.read_exactly(8)
        if len(head) < 8:
            raise SourceError(f"{name} is not audio: its WAV header ends before any")
        chunk, size = head[:4], struct.unpack(order + "I", head[4:])[0]
        if chunk == b"data":
            break
        if stream.position - begin + size > _MOST_HEADER:
            raise SourceError(
                f"{name} is not audio: its WAV header is damaged, with a part "
                f"{chunk.decode('latin-1')!r} of {size} bytes before the audio"
            )
        body = stream.read_exactly(size + size % 2)
        if chunk == b"ds64" and len(body) >= 16:
            long_length = struct.unpack(order + "Q", body[8:16])[0]
        if chunk == b"fmt " and len(body) >= 16:
            tag, encoding = _format(body, order, name)
    if not tag:
        raise SourceError(
            f"{name} is not audio: its WAV header does not say what its samples are"
        )
    length: int | None = size if 0 < size < _NO_LENGTH else None
    if size == 0xFFFFFFFF and long_length:
        length = long_length
    return Header(encoding, tag, length, stream.position - begin, order)


def _format(body: bytes, order: str, name: str) -> tuple[int, Encoding | None]:
    tag, channels, rate, _, _, bits = struct.unpack(order + "HHIIHH", body[:16])
    if tag == 0xFFFE and len(body) >= 26:  # WAVE_FORMAT_EXTENSIBLE
        tag = struct.unpack(order + "H", body[24:26])[0]
    if not MIN_RATE <= rate <= MAX_RATE or not 1 <= channels <= MAX_CHANNELS:
        raise SourceError(
            f"{name} has a WAV header with rate {rate} Hz and {channels} channels; "
            f"allowed: {MIN_RATE} to {MAX_RATE} Hz, 1 to {MAX_CHANNELS} channels"
        )
    dtype = _DTYPES.get((tag, bits))
    if dtype is None:
        return tag, None
    return tag, Encoding(rate, channels, dtype.format(order))


class WavDecoder:
    """Samples of a WAV stream; see `Decoder`."""

    def __init__(self, stream: ByteStream, header: Header) -> None:
        """Begin; the header was read from the stream already."""
        self._stream = stream
        self.damage: Damage | None = None
        self._begin(header)

    def _begin(self, header: Header) -> None:
        assert header.encoding is not None
        self.rate, self.channels = header.encoding.rate, header.encoding.channels
        self._header = header
        self._frames = FrameReader(self._stream, header.encoding, header.length)
        self._heard = 0

    def read(self, n: int, /) -> FloatArray:
        frames = self._frames.read(n)
        self._heard += len(frames)
        if not len(frames):
            self._note_damage()
        return frames

    def _note_damage(self) -> None:
        if missing := self._frames.missing:
            assert self._header.encoding is not None
            missing_s = missing / self._header.encoding.frame_size / self.rate
            more = f"{missing_s:.2f} s" if missing_s >= 0.01 else f"{missing} bytes"
            self.damage = Damage("cut", f"its header promises {more} more")
        elif self._frames.rest:
            self.damage = Damage("cut", "it ends inside a sample")

    def next_recording(self) -> bool:
        """Whether another WAV follows; anything else is read to its end."""
        if self._header.length is None or self.damage is not None:
            return False
        if self._header.length % 2 and self._stream.peek(1) == b"\0":
            self._stream.skip(1)
        for _ in range(_MOST_PARTS):
            head = self._stream.peek(12)
            if is_wav(head):
                header = read_header(self._stream)
                if header.encoding is None:
                    self.damage = Damage(
                        "damaged", f"a WAV of format {header.tag} is joined to it"
                    )
                    return False
                self._begin(header)
                return True
            if len(head) < 8 or not head[:4].strip().isalnum():
                break
            # A part behind the samples, such as a list of titles. Its size may lie.
            size = struct.unpack(self._header.order + "I", head[4:8])[0]
            self._stream.skip(8 + size + size % 2)
        self._note_rest()
        return False

    def _note_rest(self) -> None:
        """Read the rest. A recorder that crashed has not said how long it recorded."""
        rest, silent = 0, True
        while data := self._stream.read():
            rest += len(data)
            silent = silent and not any(data)
        if rest > _MOST_REST and not silent:
            self.damage = Damage(
                "damaged",
                f"its header promises no more, but {rest} bytes follow that are not "
                "heard",
            )

    def close(self) -> None:
        self._stream.close()
