"""Standard input and pipes as files that can be heard more than once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ser_stream.paths import is_pipe
from ser_stream.sources.decoders.spool import SpooledStream
from ser_stream.sources.recorded import STDIN, open_stream


@contextmanager
def rehearable(name: str) -> Iterator[Path]:
    """The path of a recording: of itself, or of a copy that goes afterwards.

    Raises:
        SourceError: if it cannot be read.
    """
    if name != STDIN and not is_pipe(Path(name)):
        yield Path(name)
        return
    copy = SpooledStream(open_stream(name))
    try:
        assert copy.path is not None
        yield copy.path
    finally:
        copy.close()
