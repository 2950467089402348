"""A file of events, torn or not -> messages."""

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from ser_stream.errors import SourceError

LONGEST = 64 * 1024
"""Bytes of a line that is looked at; the protocol's have at most 16 KiB."""
GZIP = b"\x1f\x8b"


@contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """A file, gzipped or not, or standard input for `-`.

    Raises:
        SourceError: if it cannot be read.
    """
    if name == "-" and sys.stdin is None:
        raise SourceError("standard input is closed")
    try:
        if name == "-":
            yield _plain(sys.stdin.buffer)
        else:
            with open(name, "rb") as file:  # noqa: PTH123  also /dev/fd/63
                yield _plain(file)
    except (OSError, EOFError, zlib.error) as error:
        # What was cut in the middle of its compression is told by `messages`.
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{name} cannot be read: {reason}") from None


def _plain(file: IO[bytes]) -> IO[bytes]:
    peek = getattr(file, "peek", None)
    if peek is not None and peek(2)[:2] == GZIP:
        return cast(IO[bytes], gzip.open(file))
    return file


def messages(lines: IO[bytes]) -> Iterator[dict[str, Any] | None]:
    """Each line's fields; None for a line that is no message, as a torn one."""
    while True:
        try:
            line = lines.readline(LONGEST)
        except (EOFError, zlib.error):
            yield None  # a gzipped file that was cut
            return
        if not line:
            return
        if line.strip():
            yield _message(line)


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        return None
    return fields
