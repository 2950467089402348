"""FLAC as it comes.

libsndfile reads it forward only, though it wants to go back to the beginning once, and
it refuses a file that an encoder wrote to a pipe, whose length is not filled in.
"""

import re

import numpy as np
import soundfile

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders import Damage, wrong_form
from ser_stream.sources.decoders.byte_stream import READ_SIZE, ByteStream
from ser_stream.sources.decoders.chatter import quiet
from ser_stream.sources.decoders.flac_frames import LONGEST, ends_whole
from ser_stream.sources.decoders.sndfile import Unseekable, reason
from ser_stream.sources.decoders.undisturbed import Undisturbed

MAGIC = b"fLaC"
_NEXT = re.compile(b"fLaC[\x00\x80]\x00\x00\x22")
"""The beginning of another one."""
_NEXT_LENGTH = 8
_HEADER = 42
"""Bytes before the first frame, or more; RFC 9639, sections 8.1 and 8.2."""
_KEPT = 4096
"""Bytes at the beginning to which the library may go back."""
_UNKNOWN = (1 << 36) - 1
"""The largest length that the header can hold."""
_AT_ONCE = 4096
"""Frames of samples: before damage no more than these are lost."""


class _Forward:
    """One recording of a stream, as the file-like object that libsndfile reads."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        # What it begins with is no beginning of the next one.
        head = bytearray(stream.read_exactly(_NEXT_LENGTH))
        head += self._read_on(_KEPT)
        self.promised = int.from_bytes(head[21:26], "big") & _UNKNOWN
        # Read to the end: what is promised is an estimate, though a good one.
        if len(head) >= 26:
            head[21] |= 0x0F
            head[22:26] = b"\xff" * 4
        self.tiny = len(head) < _HEADER
        """Whether not even its header is there."""
        self._head = bytes(head)
        self._at = 0
        self.tail = self._head
        """What was read last, where no length is promised."""
        self.error: SourceError | None = None
        """Why no more can be read: the library is told that it is the end."""

    def _read_on(self, n: int) -> bytes:
        """Bytes up to where another recording begins; none there, and at the end."""
        found = _NEXT.search(self._stream.peek(n + _NEXT_LENGTH))
        n = n if found is None else min(n, found.start())
        return self._stream.read(n) if n else b""

    def _read_noted(self, n: int) -> bytes:
        data = self._read_on(n)
        if not self.promised:
            self.tail = self.tail[-LONGEST:] + data
        return data

    def read(self, n: int) -> bytes:
        data = self._head[self._at : self._at + n] or self._read_noted(n)
        self._at += len(data)
        return data

    def readinto(self, buffer: bytearray) -> int:
        try:
            data = self.read(len(buffer))
        except SourceError as error:
            self.error = error
            return 0
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        # The end is only asked for to learn a length, which we do not know.
        self._at = (0, self._at, 1 << 62)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at


class FlacDecoder:
    """See `Decoder`."""

    def __init__(self, stream: ByteStream) -> None:
        """Begin with the first recording.

        Raises:
            SourceError: if it is damaged.
        """
        self._stream = stream
        self.damage: Damage | None = None
        # The library reads by calling back.
        self._undisturbed = Undisturbed()
        try:
            self._begin()
        except BaseException:
            self._undisturbed.end(lambda: None, wait=stream.regular)
            raise

    def _begin(self) -> None:
        self._bytes = _Forward(self._stream)
        name = self._stream.name
        try:
            with quiet():
                self._file = self._undisturbed.run(lambda: Unseekable(self._bytes))
        except (soundfile.SoundFileError, OSError) as error:
            if self._bytes.error is not None:
                raise self._bytes.error from None
            why = "its header is cut short" if self._bytes.tiny else reason(error)
            raise SourceError(f"{name} is not audio: {why}") from None
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self._heard = 0
        self._over = False
        wrong = wrong_form(self.rate, self.channels)
        if wrong is not None:
            self._file.close()
            raise SourceError(f"{name} {wrong}")

    def read(self, n: int, /) -> FloatArray:
        frames = self._undisturbed.run(lambda: self._read(n))
        if not len(frames) and self._bytes.error is not None:
            raise self._bytes.error
        if not len(frames) and self.damage is None:
            self._note_cut()
        return frames

    def _read(self, n: int) -> FloatArray:
        """As many as are asked for; of a pipe, what is there after some waiting."""
        pieces = [np.zeros((0, self.channels), np.float32)]
        while n > 0 and not self._over:
            try:
                piece = self._file.read(
                    self._at_most(n), dtype="float32", always_2d=True
                )
            except soundfile.SoundFileError as error:
                self._over = True
                # Behind all that is promised there may be a tag.
                if not 0 < self._bytes.promised <= self._heard:
                    self.damage = self.damage or Damage("damaged", reason(error))
                break
            self._over = not len(piece)
            pieces.append(piece)
            self._heard += len(piece)
            n -= len(piece)
            if not self._stream.regular:
                break
        return np.concatenate(pieces)

    def _at_most(self, n: int) -> int:
        """So that what is wrong behind the promised end takes nothing from before."""
        left = self._bytes.promised - self._heard
        return min(n, _AT_ONCE, left if left > 0 else _AT_ONCE)

    def _note_cut(self) -> None:
        promised = self._bytes.promised
        if self._heard < promised:
            reason = f"its header promises {promised / self.rate:.2f} s"
            self.damage = Damage("cut", reason)
        elif not promised and not ends_whole(self._bytes.tail):
            self.damage = Damage("cut", "it ends inside a frame")

    def next_recording(self) -> bool:
        self._file.close()
        # After damage, or behind the end, there may be more than was asked for.
        while self._bytes.read(READ_SIZE):
            pass
        if not self._stream.peek(1):
            return False
        try:
            self._begin()
        except SourceError as error:
            self.damage = self.damage or Damage("damaged", str(error))
            return False
        return True

    def close(self) -> None:
        # Of a file, it is soon done with what a signal has interrupted.
        self._undisturbed.end(self._close, wait=self._stream.regular)

    def _close(self) -> None:
        if not self._file.closed:
            self._file.close()
        self._stream.close()
