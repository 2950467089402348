"""Opus, Vorbis or whatever else libsndfile knows, in Ogg, from a client -> chunks.

libsndfile reads from a pipe, in a thread for each stream, since it waits there. It
reads 4096 bytes at a time, which of quiet speech is seconds. So each page is followed
by zeros up to such a border; between pages they mean nothing.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import soundfile

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import Chunk, FloatArray
from ser_stream.sources.decoders.ogg import page_length
from ser_stream.sources.decoders.sndfile import Unseekable, reason
from ser_stream.sources.intake import Intake
from ser_stream.sources.network.incoming import MOST_S
from ser_stream.sources.network.open_request import MAX_CHANNELS, MAX_RATE, MIN_RATE
from ser_stream.sources.network.page_pipe import PagePipe

READ_SIZE = 4096
"""Bytes that libsndfile asks for at once."""
READ_S = 0.02
"""Seconds of sound that are asked for at once: a packet of Opus."""
MOST_BYTES = 128 * 1024
"""Of pages that wait; the longest page has half of that."""
MOST_HEADER = 4 * 1024 * 1024
"""Bytes of a header, which libsndfile keeps: tags, and pictures among them."""
_BEHIND = 512 * 1024
"""Bytes of sound that may have come behind a header before its rate is known: they
are in the pipe, wait for it, or came in one message."""
_MAGIC = b"OggS"


class _PipedFile(Unseekable):
    """Opened by many threads at once, each of which waits for a client of its own.

    Since 0.14 soundfile opens one file at a time, so that the reason of a failure is
    not that of another file: all would wait for a client that sends nothing. So where
    two fail in the same moment, one may be told the other's reason.
    """

    _sf_error_lock = contextlib.nullcontext()


class OggStream:
    """See `Incoming`."""

    def __init__(self, name: str, on_room: Callable[[], None]) -> None:
        """Begin, in the thread of a running loop, which also puts and closes.

        Args:
            name: what messages call it.
            on_room: called there when it may no longer be `full`.
        """
        self.rate = 0
        self.on_ready: Callable[[], None] = lambda: None
        self._name = name
        self._changed = threading.Condition()
        self._bytes = bytearray()
        self._header = 0
        """Bytes of pages that came while the rate was not known."""
        self._frames: deque[tuple[FloatArray, float]] = deque()
        self._n_frames = 0
        self._intake: Intake | None = None
        self._failure: str | None = None
        self._ended = self._decoded = self._closed = self._finished = False
        self._discarded = False
        self._pipe = PagePipe(on_room)
        self._thread = threading.Thread(
            target=self._decode, args=(self._pipe.reading,), name="ogg", daemon=True
        )
        self._thread.start()

    @property
    def waiting_s(self) -> float:
        return self._n_frames / self.rate if self.rate else 0.0

    @property
    def ready(self) -> bool:
        return bool(self._frames) or self._decoded

    @property
    def full(self) -> bool:
        return len(self._bytes) + self._pipe.waiting >= MOST_BYTES

    @property
    def exhausted(self) -> bool:
        return self._finished

    def put(self, data: bytes, /) -> None:
        with self._changed:
            if self._ended or self._closed:
                return
            self._bytes += data
            self._cut()

    def lose(self, count: int, /) -> None:
        """There is no going on: where the next page begins, nobody knows."""
        with self._changed:
            if not (self._ended or self._closed):
                self._refuse(f"{count} bytes of it came too fast, and are lost")

    def _cut(self) -> None:
        """Hand whole pages on, each up to the next border."""
        while self._bytes:
            head = bytes(self._bytes[: len(_MAGIC)])
            if not _MAGIC.startswith(head):
                self._refuse("the audio is no Ogg, or bytes of it are missing")
                return
            length = page_length(self._bytes)
            if not length or length > len(self._bytes):
                return
            self._pipe.put(self._bytes[:length] + bytes(-length % READ_SIZE))
            del self._bytes[:length]
            if not self.rate and not self._header_goes_on(length):
                return

    def _header_goes_on(self, length: int) -> bool:
        """Count a page before the sound; False if there are too many."""
        self._header += length
        if self._header <= MOST_HEADER + _BEHIND:
            return True
        self._refuse(
            f"the header of the audio is longer than the {MOST_HEADER >> 20} MiB that "
            "are allowed; leave out its pictures and long tags"
        )
        return False

    def _refuse(self, why: str) -> None:
        self._fail(why)
        self._bytes.clear()
        self._pipe.close()

    def _fail(self, why: str) -> None:
        # Of what was cut off by us, it says nothing that the end is missing.
        if not self._discarded:
            self._failure = self._failure or why
        self._ended = True

    def end(self, *, discard: bool = False) -> None:
        with self._changed:
            self._ended = True
            if discard:
                self._discarded = True
                self._frames.clear()
                self._n_frames = 0
                self._pipe.close()
            else:
                self._pipe.end()
            self._changed.notify_all()

    def take(self, most_s: float, /) -> list[Chunk]:
        pieces: list[FloatArray] = []
        arrived = 0.0
        with self._changed:
            n = 0
            while self._frames and n < most_s * self.rate:
                frames, arrived = self._frames.popleft()
                pieces.append(frames)
                n += len(frames)
            self._n_frames -= n
            last = self._decoded and not self._frames
            self._changed.notify_all()
            if last and not pieces and self._failure is not None:
                raise SourceError(self._failure)
        self._finished = last
        if self._intake is None or not (pieces or last):
            return []
        channels = self._intake.kind[1]
        samples = np.concatenate([np.zeros((0, channels), np.float32), *pieces])
        chunks = self._intake.take(samples, last=last and self._failure is None)
        if last and self._failure is not None:
            self._finished = False  # what was good is heard; then it is told
        return [replace(chunk, arrived=arrived) for chunk in chunks]

    def close(self) -> None:
        with self._changed:
            self._closed = self._ended = True
            self._bytes.clear()
            self._pipe.close()
            self._changed.notify_all()

    # In a thread of its own.

    def _decode(self, reading: int) -> None:
        try:
            # It is we who close the pipe: the library does not always.
            with _PipedFile(reading, closefd=False) as file:
                if self._begin(file):
                    self._read_all(file)
        except (soundfile.SoundFileError, OSError) as error:
            with self._changed:
                self._fail(f"the audio cannot be decoded: {reason(error)}")
        finally:
            os.close(reading)
            with self._changed:
                self._decoded = True
            self.on_ready()

    def _begin(self, file: Unseekable) -> bool:
        rate, channels = int(file.samplerate), int(file.channels)
        if not MIN_RATE <= rate <= MAX_RATE or channels > MAX_CHANNELS:
            with self._changed:
                self._fail(
                    f"the audio has {rate} Hz and {channels} channels; allowed: "
                    f"{MIN_RATE} to {MAX_RATE}, 1 to {MAX_CHANNELS}"
                )
            return False
        self._intake = Intake(self._name, rate, channels)
        # A stranger must not fill the log.
        self._intake.warned = True
        self.rate = rate
        return True

    def _read_all(self, file: Unseekable) -> None:
        at_once = max(1, round(self.rate * READ_S))
        while True:
            frames = file.read(at_once, dtype="float32", always_2d=True)
            with self._changed:
                if self._closed or not len(frames):
                    return
                self._frames.append((frames, time.monotonic()))
                self._n_frames += len(frames)
            self.on_ready()
            with self._changed:
                while self.waiting_s >= MOST_S and not self._closed:
                    self._changed.wait()
