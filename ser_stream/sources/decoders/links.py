"""What MPEG and Ogg have in common: recordings that are joined, read through a pipe.

libsndfile decodes both, but guesses the length of a file and stops there, and of
several recordings in a file it reads the first. From a pipe it reads to the end. So a
splitter looks at the frames or pages as they pass, a thread hands them on, and what
belongs to another recording goes to another pipe.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Protocol

import numpy as np
import soundfile

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders import Damage, wrong_form
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.decoders.chatter import quiet
from ser_stream.sources.decoders.sndfile import Unseekable, reason


class Splitter(Protocol):
    """Looks at the bytes of a container as they pass."""

    damage: Damage | None
    """What is wrong with them; all of it when `pieces` has ended."""

    def pieces(self, stream: ByteStream) -> Iterator[bytes | None]:
        """Bytes of whole frames or pages; None where another recording begins."""

    def frames_missing(self, heard: int, rate: int) -> int:
        """Frames that the recording says it has beyond those that were decoded."""


class LinkedDecoder:
    """See `Decoder`."""

    def __init__(self, stream: ByteStream, splitter: Splitter) -> None:
        """Begin with the first recording.

        Raises:
            SourceError: if there is none.
        """
        self._stream = stream
        self._splitter = splitter
        self._pipes: SimpleQueue[int | None] = SimpleQueue()
        self._error: SourceError | None = None
        self._closed = threading.Event()
        self._found: Damage | None = None
        self._file: Unseekable | None = None
        self._fd = -1
        self._thread = threading.Thread(target=self._hand_on, daemon=True)
        self._thread.start()
        if not self.next_recording():
            self.close()
            error: SourceError | None = self._error
            raise error or SourceError(
                f"{stream.name} holds no samples: empty or cut short"
            )

    @property
    def damage(self) -> Damage | None:
        """What the decoder met comes before what the splitter found later."""
        return self._found or self._splitter.damage

    def _hand_on(self) -> None:
        # In a thread of its own: a pipe holds less than libsndfile may want at once.
        writing = -1
        try:
            for piece in self._splitter.pieces(self._stream):
                if self._closed.is_set():
                    break
                if piece is None:
                    writing = _closed(writing)
                elif piece:
                    if writing < 0:
                        reading, writing = os.pipe()
                        self._pipes.put(reading)
                    writing = _write(writing, piece)
        except SourceError as error:
            self._error = error
        finally:
            _closed(writing)
            self._pipes.put(None)

    def next_recording(self) -> bool:
        while (fd := self._pipes.get()) is not None:
            try:
                # A descriptor, of which libsndfile sees that it is a pipe.
                with quiet():
                    self._file = Unseekable(fd, closefd=False)
            except (soundfile.SoundFileError, OSError) as error:
                os.close(fd)
                self._found = self._found or Damage("damaged", reason(error))
                self._error = SourceError(
                    f"{self._stream.name} is not audio: {reason(error)}"
                )
                continue
            self._fd = fd
            self.rate, self.channels = self._file.samplerate, self._file.channels
            self._heard = 0
            wrong = wrong_form(self.rate, self.channels)
            if wrong is None:
                return True
            self._discard()
            self._error = SourceError(f"{self._stream.name} {wrong}")
        self._pipes.put(None)
        return False

    def read(self, n: int, /) -> FloatArray:
        assert self._file is not None
        frames: FloatArray = np.zeros((0, self.channels), np.float32)
        try:
            with quiet():
                frames = self._file.read(n, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as error:
            self._found = Damage("damaged", reason(error))
        self._heard += len(frames)
        if not len(frames):
            self._end()
        return frames

    def _end(self) -> None:
        assert self._file is not None
        missing = self._splitter.frames_missing(self._heard, self.rate)
        if missing > 0:
            self._found = self._found or Damage(
                "damaged", f"{missing / self.rate:.2f} s of it cannot be decoded"
            )
        self._discard()

    def _discard(self) -> None:
        """Close the present pipe: its writer goes on with the next recording."""
        if self._fd < 0:
            return
        assert self._file is not None
        # libsndfile repeats there what it said of the last read.
        with contextlib.suppress(soundfile.SoundFileError):
            self._file.close()
        self._fd = _closed(self._fd)

    def close(self) -> None:
        self._closed.set()
        self._discard()
        # Whoever writes to a pipe that nobody reads is told so, and ends.
        while not self._pipes.empty():
            fd = self._pipes.get()
            if fd is not None:
                os.close(fd)
        if self._stream.regular:
            self._thread.join()
        self._stream.close()


def _write(fd: int, data: bytes) -> int:
    """Write all of it; -1 if the reader has left, else the descriptor."""
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        # It has given up on this recording, but not on what follows.
        return _closed(fd)
    return fd


def _closed(fd: int) -> int:
    if fd >= 0:
        os.close(fd)
    return -1
