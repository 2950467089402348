"""Standard output of the commands that print and end."""

import json
import os
import sys
from collections.abc import Sequence

from ser_stream.errors import QuietEndError, SinkError


def write(text: str) -> None:
    """Write text to standard output at once.

    Raises:
        QuietEndError: if the reader has left.
        SinkError: if it cannot be written, as on a full disk.
    """
    if sys.stdout is None:
        raise SinkError("standard output is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        discard_output()
        if isinstance(error, BrokenPipeError):
            raise QuietEndError from None
        raise SinkError(f"standard output: {error.strerror}") from None


def discard_output() -> None:
    """What the interpreter still holds must not fail again when it exits."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_json(value: object, indent: int | None = None) -> None:
    write(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row of a table, its columns as wide as they need be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
