"""MP3 and its elder layers, frame by frame.

libsndfile estimates the length of a file by its first frame, and stops there. The
frames themselves say where each ends, so they also show what is cut or damaged.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ser_stream.sources.decoders import Damage
from ser_stream.sources.decoders.byte_stream import ByteStream

_V1 = {
    1: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_V2 = {
    1: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by layer; ISO/IEC 11172-3 and 13818-3."""
_RATES = (44_100, 48_000, 32_000)
_LARGEST = 4096
"""Bytes; no frame is larger."""
PIECE = 1 << 15
"""Bytes of whole frames that are handed on at once."""


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """Four bytes before each frame."""

    kind: tuple[int, int, int, bool]
    """Version, layer, hertz, mono: what a decoder cannot change on the way."""
    length: int
    """Bytes of the frame."""
    samples: int
    """Frames of samples in it."""
    side: int
    """Bytes from the frame's beginning to where an encoder leaves notes."""


def frame_header(data: bytes, at: int = 0) -> FrameHeader | None:
    """The header at a place, or None if there is none."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version = (data[at + 1] >> 3) & 3  # 0: 2.5, 2: 2, 3: 1
    layer = 4 - ((data[at + 1] >> 1) & 3)
    bits, rate = data[at + 2] >> 4, (data[at + 2] >> 2) & 3
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    first = version == 3
    hertz = _RATES[rate] // {3: 1, 2: 2, 0: 4}[version]
    kbit = (_V1 if first else _V2)[layer][bits - 1]
    pad = (data[at + 2] >> 1) & 1
    mono = data[at + 3] >> 6 == 3
    if layer == 1:
        length, samples = (12_000 * kbit // hertz + pad) * 4, 384
    else:
        samples = 576 if layer == 3 and not first else 1152
        length = samples // 8 * 1000 * kbit // hertz + pad
    side = 4 + ((17 if mono else 32) if first else (9 if mono else 17))
    return FrameHeader((version, layer, hertz, mono), length, samples, side)


def is_mpeg(data: bytes, frames: int = 3) -> bool:
    """Whether so many frames follow each other, or all of what is there."""
    at = 0
    for _ in range(frames):
        header = frame_header(data, at)
        if header is None:
            return at > 0 and len(data) - at < 4
        at += header.length
        if at >= len(data):
            return True
    return True


class MpegSplitter:
    """See `Splitter`."""

    def __init__(self) -> None:
        self.damage: Damage | None = None
        self._ended: deque[int] = deque()
        self._zeros = 0

    def pieces(self, stream: ByteStream) -> Iterator[bytes | None]:
        kind: tuple[int, int, int, bool] | None = None
        data, at, begin, samples = b"", 0, 0, 0
        self._promised = self._passed = 0
        while True:
            header = frame_header(data, at)
            if header is not None and at + header.length <= len(data):
                noted = _noted_length(data, at, header)
                # A decoder plays no more than the note of an encoder promises.
                full = 0 < self._promised <= self._passed
                if kind is not None and (
                    header.kind != kind or noted is not None or full
                ):
                    yield data[begin:at]
                    begin = at
                    self._end(samples)
                    samples = 0
                    yield None
                    kind = None
                if kind is None:
                    self._promised, self._passed = noted or 0, 0
                kind, self._zeros = header.kind, 0
                at += header.length
                self._passed += header.length
                samples += header.samples
                if at - begin < PIECE:
                    continue
            yield data[begin:at]
            data, at, begin = data[at:], 0, 0
            if len(data) < _LARGEST and (more := stream.read()):
                data += more
            elif not data:
                break
            elif header is None:
                data = self._resynchronised(data, kind, stream)
            elif header.length > len(data):
                self._note("cut", "it ends inside a frame")
                break
        self._end(samples)

    def _end(self, samples: int) -> None:
        if self._promised > self._passed + _LARGEST:
            self._note(
                "cut",
                f"its header promises {self._promised} bytes, and "
                f"{self._passed} are there",
            )
        self._ended.append(samples)

    def _resynchronised(
        self, data: bytes, kind: tuple[int, int, int, bool] | None, stream: ByteStream
    ) -> bytes:
        tag = _tag_length(data)
        if data[0] == 0:
            return self._without_zeros(data, kind is not None)
        self._zeros = 0
        if tag:
            rest = data[tag:]
            stream.skip(tag - (len(data) - len(rest)))
            return rest
        for at in range(1, len(data)):
            header = frame_header(data, at)
            if header is not None and (
                header.kind == kind or frame_header(data, at + header.length)
            ):
                break
        else:
            # The last bytes may begin a frame.
            at = max(1, len(data) - 3) if len(data) >= _LARGEST else len(data)
        if any(data[:at]) and kind is not None:
            self._note("damaged", "some of it is no MPEG audio")
        return data[at:]

    def _without_zeros(self, data: bytes, begun: bool) -> bytes:
        """A few zeros fill up a file; many are left of one where a disk has failed."""
        rest = data.lstrip(b"\0")
        self._zeros += len(data) - len(rest)
        if begun and self._zeros > _LARGEST:
            self._note("damaged", "zeros stand where sound should be")
        return rest

    def _note(self, what: str, reason: str) -> None:
        if self.damage is None:
            self.damage = Damage("cut" if what == "cut" else "damaged", reason)

    def frames_missing(self, heard: int, rate: int) -> int:
        # Encoders put up to three frames around the sound, which decoders take off.
        samples = self._ended.popleft() if self._ended else 0
        return max(0, samples - heard - 4 * 1152)


def _noted_length(data: bytes, at: int, header: FrameHeader) -> int | None:
    """Bytes that the note of an encoder promises, 0 if it does not say."""
    note = data[at + header.side : at + header.side + 16]
    if note[:4] not in (b"Xing", b"Info"):
        return None
    flags = struct.unpack(">I", note[4:8])[0]
    where = 8 + 4 * (flags & 1)
    if not flags & 2 or len(note) < where + 4:
        return 0
    length: int = struct.unpack(">I", note[where : where + 4])[0]
    return length


def _tag_length(data: bytes) -> int:
    """Bytes of a list of titles that stands here; 0 if there is none."""
    if data[:3] == b"TAG":
        return 128
    if data[:3] == b"ID3":
        return id3_length(data)
    if data[:8] == b"APETAGEX" and len(data) >= 32:
        return 32 + int(struct.unpack("<I", data[12:16])[0])
    # Elder ones have their name at the end only.
    end = data.find(b"APETAGEX")
    size = int.from_bytes(data[end + 12 : end + 16], "little")
    return size if 0 < end <= len(data) - 32 and size == end + 32 else 0


def id3_length(data: bytes) -> int:
    """Bytes of an ID3v2 tag with its header; 0 if there is none."""
    if data[:3] != b"ID3" or len(data) < 10 or any(b & 0x80 for b in data[6:10]):
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte
    return 10 + size + (10 if data[5] & 0x10 else 0)
