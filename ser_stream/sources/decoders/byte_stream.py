"""Bytes of a file, a pipe or standard input, whose beginning can be looked at."""

import os
import shlex
import stat
import sys
from pathlib import Path
from typing import Self

from ser_stream.errors import SourceError

READ_SIZE = 64 * 1024
"""Bytes asked for at a time."""


class ByteStream:
    """Reads forward only, so that pipes and files are read alike."""

    def __init__(self, fd: int, name: str, path: Path | None = None) -> None:
        """Take a descriptor, which is closed at the end if there is a path.

        Args:
            fd: open for reading.
            name: what errors call it.
            path: of a regular file, which a library may open once more.
        """
        status = os.fstat(fd)
        self.fd = fd
        self.name = name
        self.path = path
        self.regular = stat.S_ISREG(status.st_mode)
        """Whether reading never waits."""
        self.size = status.st_size if self.regular else None
        """Bytes in all, where they are known."""
        self._owned = path is not None
        self._head = b""
        self._marked: bytearray | None = None
        self.position = 0
        """Bytes handed out so far."""

    @classmethod
    def open(cls, path: Path, called: str | None = None) -> Self:
        """Open a file or a named pipe, which waits for its writer.

        Messages call it by its path, or as they are told to.

        Raises:
            SourceError: if it is absent, forbidden, empty or a folder.
        """
        name = called or str(path)
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                any(path.iterdir())  # One that cannot be read says why.
                raise SourceError(f"{name} is a folder; name a file in it")
            if stat.S_ISREG(status.st_mode) and status.st_size == 0:
                raise SourceError(f"{name} is empty (0 bytes)")
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                raise SourceError(f"{name} is no regular file and no pipe")
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise SourceError(f"there is no file {_hinted(name)}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(f"{name} cannot be read: {reason}") from None
        return cls(fd, name, path)

    @classmethod
    def standard_input(cls) -> Self:
        """Standard input, from its beginning.

        Raises:
            SourceError: if it is closed, or a terminal.
        """
        if sys.stdin is None:
            raise SourceError("standard input is closed")
        fd = sys.stdin.fileno()
        if os.isatty(fd):
            raise SourceError(
                "- reads audio from a pipe or file, but standard input is a terminal; "
                "try: arecord -f S16_LE -r 16000 | ser-stream listen --input -"
            )
        return cls(fd, "standard input")

    def peek(self, n: int) -> bytes:
        """The next n bytes, or less at the end; they stay to be read."""
        while len(self._head) < n:
            more = self._read_more(max(READ_SIZE, n - len(self._head)))
            if not more:
                break
            self._head += more
        return self._head[:n]

    def read(self, n: int = READ_SIZE) -> bytes:
        """The next bytes, at most n, as soon as there are some; none at the end."""
        if self._head:
            data, self._head = self._head[:n], self._head[n:]
        else:
            data = self._read_more(n)
        self.position += len(data)
        if self._marked is not None:
            self._marked += data
        return data

    def mark(self) -> None:
        """Keep what is read from here on, until `rewind` or `forget`."""
        self._marked = bytearray()

    def rewind(self) -> None:
        """Go back to the mark."""
        marked = bytes(self._marked or b"")
        self._head = marked + self._head
        self.position -= len(marked)
        self._marked = None

    def forget(self) -> None:
        """Take the mark away."""
        self._marked = None

    def unread(self, data: bytes) -> None:
        """Put bytes back, to be read next."""
        self._head = data + self._head
        self.position -= len(data)

    def read_exactly(self, n: int) -> bytes:
        """The next n bytes, or less at the end."""
        data = self.read(n)
        while len(data) < n:
            more = self.read(n - len(data))
            if not more:
                break
            data += more
        return data

    def skip(self, n: int) -> int:
        """Read n bytes and forget them; how many there were."""
        skipped = 0
        while skipped < n:
            data = self.read(min(READ_SIZE, n - skipped))
            if not data:
                break
            skipped += len(data)
        return skipped

    def _read_more(self, n: int) -> bytes:
        try:
            return os.read(self.fd, n)
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror}") from None

    def close(self) -> None:
        # Standard input is not ours to close.
        if self._owned and self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _hinted(name: str) -> str:
    """A name, and what to do with it if it is an address.

    A path has lost one of the slashes of that.
    """
    scheme, colon, rest = name.partition(":/")
    if not colon or not scheme.isalpha():
        return name
    address = f"{scheme}://{rest.lstrip('/')}"
    return (
        f"{address}; addresses are not fetched: curl -sL {shlex.quote(address)} | "
        "ser-stream recognize -, or listen --input -"
    )
