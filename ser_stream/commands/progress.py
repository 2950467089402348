"""A progress bar on standard error, out of the way of what is printed."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import typer


def progress_bar(files: Sequence[Path]) -> AbstractContextManager[Any]:
    """Iterates over files; shows itself only where standard error is a terminal."""
    # Typer's is a single line without a thread of its own, so that `clear_bar` can
    # make room for a line of output.
    bar: AbstractContextManager[Any] = typer.progressbar(
        files,
        label="recognizing",
        file=sys.stderr,
        show_eta=True,
        show_pos=True,
        hidden=len(files) < 2 or not sys.stderr.isatty(),
    )
    return bar


@contextmanager
def share_bar(length: int, label: str) -> Iterator[Callable[[float], None]]:
    """Shows how much of a length is done, as it is told; on a terminal only."""
    with typer.progressbar(
        length=length,
        label=label,
        file=sys.stderr,
        show_eta=True,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        yield lambda done: bar.update(max(0, int(done) - bar.pos))


def clear_bar() -> None:
    """Erase the bar; it comes back with the next file."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
