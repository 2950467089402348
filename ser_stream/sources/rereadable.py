"""A recording that is heard whole, as often as it takes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import Chunk, FloatArray
from ser_stream.sources.array import ArrayInput
from ser_stream.sources.decoders import Damage

if TYPE_CHECKING:
    from ser_stream.sources.recorded import Wanted


class GapError(SourceError):
    """Samples are missing within; what counts on none has to begin anew."""


class RecordingSource:
    """Chunks from the beginning, each time they are asked for."""

    def __init__(self, read: Callable[["RecordingSource"], Iterator[Chunk]]) -> None:
        """Read by a function, which notes the damage that it finds."""
        self._read = read
        self.damage: Damage | None = None
        """Of what was read last."""
        self.error: SourceError | None = None
        """Why `pieces_until_error` ended early."""

    def chunks(self) -> Iterator[Chunk]:
        """All of it; a jump of the index is a gap.

        Raises:
            SourceError: if nothing of it can be heard.
        """
        return self._read(self)

    def pieces(self) -> Iterator[FloatArray]:
        """The samples alone.

        Raises:
            GapError: at a gap.
            SourceError: if nothing of it can be heard.
        """
        end = 0
        for chunk in self.chunks():
            if chunk.start != end:
                raise GapError("there is a gap in it")
            end = chunk.end
            yield chunk.samples

    def pieces_until_error(self) -> Iterator[FloatArray]:
        """The same; an error is noted, and is the end."""
        try:
            yield from self.pieces()
        except SourceError as error:
            self.error = error


def source_of(
    recording: str | os.PathLike[str] | ArrayLike,
    rate: int,
    wanted: "Wanted | None" = None,
    progress: Callable[[float], None] | None = None,
) -> RecordingSource:
    """How a recording is read: a file, or samples as `ArrayInput` takes them.

    Nothing is opened or looked at yet.
    """
    if isinstance(recording, str | os.PathLike):
        path = Path(recording)

        def of_file(source: RecordingSource) -> Iterator[Chunk]:
            # A stream needs no libsndfile.
            from ser_stream.sources.recorded import Recorded

            with Recorded.open(path, wanted) as file:
                yield from file.chunks(progress)
                source.damage = file.damage

        return RecordingSource(of_file)

    def of_array(_source: RecordingSource) -> Iterator[Chunk]:
        array = ArrayInput()
        parts = [array.feed(recording, rate), array.finish()]
        if not np.size(recording):
            raise SourceError("there are no samples in the array")
        yield from parts

    return RecordingSource(of_array)
