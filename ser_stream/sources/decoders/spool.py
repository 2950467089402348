"""A pipe that has to be sought in is written to a file first."""

import atexit
import os
import tempfile
from pathlib import Path

from ser_stream.errors import SourceError
from ser_stream.sources.decoders.byte_stream import ByteStream

MOST = 4 << 30
"""Bytes; what is longer belongs into a file of its own."""


class SpooledStream(ByteStream):
    """All of a stream in a temporary file, which goes when it is closed."""

    def __init__(self, stream: ByteStream) -> None:
        """Read a pipe to its end, and begin anew.

        Raises:
            SourceError: if there is no room, or no end.
        """
        folder = tempfile.gettempdir()
        try:
            self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115  closed by `close`
                prefix="ser-stream-"
            )
            _copy(stream, self._file.fileno())
        except OSError as error:
            raise SourceError(
                f"{stream.name} must be kept in {folder} to be read: "
                f"{error.strerror}; give the file by its name, or set TMPDIR"
            ) from None
        path = Path(os.fsdecode(self._file.name))
        super().__init__(os.open(path, os.O_RDONLY | os.O_CLOEXEC), stream.name, path)
        self._source = stream
        # A thread that reads it may outlast whoever would close it.
        atexit.register(self._file.close)

    def close(self) -> None:
        super().close()
        self._file.close()
        atexit.unregister(self._file.close)
        self._source.close()


def _copy(stream: ByteStream, fd: int) -> None:
    written = 0
    while data := stream.read(1 << 20):
        written += len(data)
        if written > MOST:
            raise SourceError(
                f"{stream.name} has no end after {MOST >> 30} GiB; give a file by its "
                "name"
            )
        while data:
            data = data[os.write(fd, data) :]
