"""Standard output of the commands that print and end."""

import io
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from ser_stream.errors import QuietEndError, SinkError

_LOGGER = logging.getLogger(__name__)


def write(text: str) -> None:
    """Write text to standard output at once.

    Raises:
        QuietEndError: if the reader has left.
        SinkError: if it cannot be written, as on a full disk.
    """
    stdout = _ours[-1] if _ours else sys.stdout
    if stdout is None:
        raise SinkError("standard output is closed")
    try:
        stdout.write(text)
        stdout.flush()
    except OSError as error:
        discard_output()
        if isinstance(error, BrokenPipeError):
            raise QuietEndError from None
        raise SinkError(f"standard output: {error.strerror}") from None


def discard_output() -> None:
    """What the interpreter still holds must not fail again when it exits."""
    stdout = _ours[-1] if _ours else sys.stdout
    if stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


_ours: list[TextIO] = []
"""Standard output, while only `write` may write to it."""


@contextmanager
def others_kept_out() -> Iterator[None]:
    """What libraries print goes to the log, at level DEBUG: rows are for machines."""
    _ours.append(sys.stdout)
    sys.stdout = _ToLog()
    try:
        yield
    finally:
        sys.stdout = _ours.pop()


class _ToLog(io.StringIO):
    def write(self, text: str) -> int:
        if text.strip():
            _LOGGER.debug("a library prints: %s", text.strip())
        return len(text)


def write_json(value: object, indent: int | None = None) -> None:
    write(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row of a table, its columns as wide as they need be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
