"""Recordings as a source: files, named pipes and standard input."""

import queue
import threading
from typing import Self

from ser_stream.errors import SourceError
from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.values import SAMPLE_RATE, AudioInfo, Chunk
from ser_stream.sources.decoders import Damage
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.pacing import Pacer
from ser_stream.sources.recorded import STDIN, Recorded, Wanted, open_stream

CHUNK_LENGTH = 2 * BLOCK_LENGTH
"""Samples at 16 kHz; the default step."""


class FileSource:
    """A recording, at real-time pace or as fast as it is asked for."""

    def __init__(
        self, stream: ByteStream, *, realtime: bool, wanted: Wanted | None = None
    ) -> None:
        """Open what a stream holds.

        Raises:
            SourceError: if it cannot be read, is no audio, or holds none.
        """
        self._recorded = Recorded(stream, wanted)
        device = STDIN if stream.path is None else stream.path.name
        kind = "stdin" if stream.path is None else "file"
        self.info = AudioInfo(kind, device, self._recorded.rate)
        self.channels = self._recorded.channels
        self._pacer = Pacer(realtime)
        # What a pipe brings at our pace, or slower, is by the clock on the wall.
        self.live = realtime and not stream.regular
        self.ended = False
        # Reading from a pipe may take for ever, which a source never does.
        self._reader = None if stream.regular else _Reader(self._recorded, realtime)

    @property
    def damage(self) -> Damage | None:
        """Why it gave less than it should; known at its end."""
        return self._recorded.damage

    def read(self, timeout: float, /) -> Chunk | None:
        """The next 0.2 s; see `Source.read`."""
        return self._pacer.next(lambda: self._load(timeout), timeout)

    def _load(self, timeout: float) -> Chunk | None:
        if self.ended:
            return None
        if self._reader is not None:
            try:
                chunk = self._reader.next(timeout)
            except queue.Empty:
                return None
        else:
            # Chunks end where steps fall due, so that paced audio is used at once; the
            # first one, which was read already, ends two of them before.
            chunk = self._recorded.next(CHUNK_LENGTH)
        self.ended = chunk is None
        return chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._reader is None:
            self._recorded.close()


class _Reader:
    """Reads a pipe in a thread of its own, which ends with the program."""

    def __init__(self, recorded: Recorded, realtime: bool) -> None:
        self._recorded = recorded
        # At real-time pace a large chunk would come all at once, and late.
        self._length = BLOCK_LENGTH if realtime else SAMPLE_RATE
        self._chunks: queue.Queue[Chunk | SourceError | None] = queue.Queue(maxsize=8)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while (chunk := self._recorded.next(self._length)) is not None:
                self._chunks.put(chunk)
            self._chunks.put(None)
        except SourceError as error:
            self._chunks.put(error)

    def next(self, timeout: float) -> Chunk | None:
        item = self._chunks.get(timeout=timeout)
        if isinstance(item, SourceError):
            raise item
        return item


def open_input(
    name: str, *, realtime: bool, wanted: Wanted | None = None
) -> FileSource:
    """Open a file, a named pipe, or with `-` standard input.

    Raises:
        SourceError: if it cannot be read, is no audio, or holds none.
    """
    return FileSource(open_stream(name), realtime=realtime, wanted=wanted)
