"""A progress bar on standard error, out of the way of what is printed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import typer


@contextmanager
def share_bar(
    length: int, label: str, said: Callable[[object], str] | None = None
) -> Iterator[Callable[[float], None]]:
    """Shows how much of a length is done, as it is told; on a terminal only.

    `said` is asked each time for what else there is to say.
    """
    with typer.progressbar(
        length=length,
        label=label,
        file=sys.stderr,
        show_eta=True,
        item_show_func=said,
        hidden=not shows_bars(),
    ) as bar:

        def update(done: float) -> None:
            # A terminal that has gone is no fault of what is being read.
            with suppress(OSError):
                bar.update(max(0, int(done) - bar.pos))

        yield update


def shows_bars() -> bool:
    """Whether standard error is a terminal on which a line can be written anew."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def clear_bar() -> None:
    """Erase the bar; it comes back with the next file."""
    if shows_bars():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
