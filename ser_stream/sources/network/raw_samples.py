"""Bare samples of a client -> chunks."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import Chunk
from ser_stream.sources.decoders.containers import TEXT, identify, no_audio
from ser_stream.sources.decoders.encoding import RawForm
from ser_stream.sources.intake import Intake
from ser_stream.sources.network.arrivals import Arrivals
from ser_stream.sources.network.incoming import MOST_S

LOOKED_AT = 64
"""Bytes at the beginning that tell what is no bare audio."""


class RawSamples:
    """See `Incoming`."""

    def __init__(self, form: RawForm, name: str) -> None:
        """Begin; `name` is what messages call it."""
        self.rate = form.rate
        self.on_ready: Callable[[], None] = lambda: None
        self._form = form
        self._encoding = form.to_encoding()
        self._intake = Intake(name, form.rate, form.channels)
        # A stranger must not fill the log.
        self._intake.warned = True
        self._per_s = form.rate * self._encoding.frame_size
        self._lock = threading.Lock()
        self._bytes = bytearray()
        self._arrivals = Arrivals()
        self._gaps: deque[list[int]] = deque()
        """Of each: behind how many of the bytes that wait it is, and its frames."""
        self._torn = 0
        """Bytes to come of a frame that is lost in part, and so in all."""
        self._ended = self._finished = self._looked = False

    @property
    def waiting_s(self) -> float:
        return len(self._bytes) / self._per_s

    @property
    def ready(self) -> bool:
        least = self._encoding.frame_size if self._looked else LOOKED_AT
        return self._ended or len(self._bytes) >= least

    @property
    def full(self) -> bool:
        return self.waiting_s >= MOST_S

    @property
    def exhausted(self) -> bool:
        return self._finished

    def put(self, data: bytes, /) -> None:
        with self._lock:
            if not self._ended:
                data = data[self._of_torn(len(data)) :]
                self._bytes += data
                self._arrivals.came(len(data), time.monotonic())

    def lose(self, count: int, /) -> None:
        size = self._encoding.frame_size
        with self._lock:
            count -= self._of_torn(count)
            if self._ended or not count:
                return
            # Whole frames, else all that follows would be noise.
            begun = len(self._bytes) % size
            if begun:
                del self._bytes[-begun:]
                self._arrivals.taken(begun)
            frames = -(-(begun + count) // size)
            self._torn = frames * size - begun - count
            if self._gaps and self._gaps[-1][0] == len(self._bytes):
                self._gaps[-1][1] += frames
            else:
                self._gaps.append([len(self._bytes), frames])

    def _of_torn(self, count: int) -> int:
        """How many of so many bytes belong to the torn frame."""
        belong = min(count, self._torn)
        self._torn -= belong
        return belong

    def end(self, *, discard: bool = False) -> None:
        with self._lock:
            self._ended = True
            if discard:
                self._bytes.clear()
                self._gaps.clear()

    def take(self, most_s: float, /) -> list[Chunk]:
        size = self._encoding.frame_size
        with self._lock:
            skipped = 0
            if self._gaps and not self._gaps[0][0]:
                skipped = self._gaps.popleft()[1]
            enough = self._looked or self._ended or len(self._bytes) >= LOOKED_AT
            there = self._gaps[0][0] if self._gaps else len(self._bytes)
            most = min(there, round(most_s * self.rate) * size)
            data = bytes(self._bytes[: most // size * size]) if enough else b""
            del self._bytes[: len(data)]
            for gap in self._gaps:
                gap[0] -= len(data)
            # What is left is less than a frame.
            last = self._ended and len(self._bytes) < size and not self._gaps
            arrived = self._arrivals.taken(len(data))
        if data and not self._looked:
            self._looked = True
            self._look_at(data)
        chunks = self._intake.skip(skipped) if skipped else []
        if data or last:
            chunks += self._intake.take(self._encoding.decode(data), last=last)
        self._finished = last
        return [replace(chunk, arrived=arrived) for chunk in chunks]

    def _look_at(self, head: bytes) -> None:
        container = identify(head)
        if container is not None and not container.weak:
            raise SourceError(
                f"the audio begins like {container.name}, but was announced as bare "
                f"samples, {self._form.encoding}; send samples without a header, or "
                "Opus in Ogg as encoding ogg"
            )
        # Silence of the telephone's codes is letters.
        coded = self._form.encoding in ("alaw", "mulaw")
        if len(head) >= LOOKED_AT and not coded and no_audio(head) == TEXT:
            raise SourceError(
                "text came where audio should; behind open there are only samples, "
                "over a WebSocket in binary messages"
            )

    def close(self) -> None:
        self.end(discard=True)
