"""Ogg with Vorbis or Opus, page by page.

Of recordings that are joined libsndfile reads the first, and a page that is damaged it
leaves out without a word. The pages are numbered, and say how much sound has passed.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ser_stream.sources.decoders import Damage
from ser_stream.sources.decoders.byte_stream import ByteStream

_BEGIN, _END = 2, 4
_OPUS_RATE = 48_000
_LATE_S = 30.0
"""A first page that says it is later belongs to a broadcast that went on before."""
TOLERANCE_S = 0.1
_FILLING = 4096
"""Zeros that may fill up a file; more are left of one where a disk has failed."""


@dataclass(slots=True)
class _Recording:
    rate: int = 0
    """Of the positions in its pages; 0 if it is not known."""
    skipped: int = 0
    """Samples at the beginning that Opus does not play."""
    serial: int = -1
    first: int | None = None
    """Position after its first page of sound."""
    last: int = 0
    ended: bool = False
    next_page: dict[int, int] = field(default_factory=dict)

    def seconds(self) -> float:
        """How long it says it is; 0 if that cannot be known."""
        if not self.rate or self.first is None or self.first > _LATE_S * self.rate:
            return 0.0
        return max(0, self.last - self.skipped) / self.rate


class OggSplitter:
    """See `Splitter`."""

    def __init__(self) -> None:
        self.damage: Damage | None = None
        self._ended: deque[_Recording] = deque()
        self._foreign = 0
        """Bytes outside of pages."""

    def pieces(self, stream: ByteStream) -> Iterator[bytes | None]:
        data, recording, sound = b"", _Recording(), False
        while True:
            length = page_length(data)
            if length and length <= len(data):
                page, data = data[:length], data[length:]
                begins = bool(page[5] & _BEGIN)
                if begins and sound:
                    self._end(recording)
                    recording, sound = _Recording(), False
                    yield None
                sound = not begins
                self._look_at(page, recording)
                yield page
                continue
            more = stream.read()
            if more:
                data += more
            elif length or not data:
                break
            if not length and len(data) >= 4 and data[:4] != b"OggS":
                at = data.find(b"OggS", 1)
                at = at if at > 0 else max(1, len(data) - 3)
                self._foreign += at
                if any(data[:at]) or self._foreign > _FILLING:
                    self._note(Damage("damaged", "some of it is no Ogg"))
                data = data[at:]
            elif not length and not more:
                break
        if any(data):
            self._note(Damage("cut", "it ends inside a page"))
        self._end(recording)

    def _look_at(self, page: bytes, recording: _Recording) -> None:
        position, serial, number = struct.unpack("<qII", page[6:22])
        expected = recording.next_page.get(serial, number)
        if number != expected:
            self._note(Damage("damaged", "some of it is missing"))
        recording.next_page[serial] = number + 1 & 0xFFFFFFFF
        body = page[27 + page[26] :]
        if page[5] & _BEGIN and recording.serial < 0:
            recording.serial = serial
            if body[:7] == b"\x01vorbis":
                recording.rate = struct.unpack("<I", body[12:16])[0]
            elif body[:8] == b"OpusHead":
                recording.rate = _OPUS_RATE
                recording.skipped = struct.unpack("<H", body[10:12])[0]
        if serial != recording.serial:
            return
        recording.ended = recording.ended or bool(page[5] & _END)
        if position > 0:
            recording.first = position if recording.first is None else recording.first
            recording.last = position

    def _end(self, recording: _Recording) -> None:
        if recording.next_page and not recording.ended:
            self._note(Damage("cut", "its last page is missing"))
        self._ended.append(recording)

    def _note(self, damage: Damage) -> None:
        self.damage = self.damage or damage

    def frames_missing(self, heard: int, rate: int) -> int:
        seconds = self._ended.popleft().seconds() if self._ended else 0.0
        missing = seconds - heard / rate
        return round(missing * rate) if missing > TOLERANCE_S else 0


def page_length(data: bytes | bytearray) -> int:
    """Bytes of the page that begins here; 0 if that is not known yet."""
    if data[:4] != b"OggS" or len(data) < 27:
        return 0
    segments = data[26]
    if len(data) < 27 + segments:
        return 0
    return 27 + segments + sum(data[27 : 27 + segments])
