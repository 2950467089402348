"""Commands that a signal stops before what was asked for is done."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ser_stream.commands import unfinished
from ser_stream.commands.progress import clear_bar
from ser_stream.errors import QuietEndError, StoppedError


@contextmanager
def told_if_stopped(message: str) -> Iterator[None]:
    """Elsewhere a signal is a good end; here something was asked for, and not done.

    Raises:
        StoppedError: with the message, if a signal comes.
    """
    unfinished.begin()
    try:
        yield
    except QuietEndError:
        clear_bar()
        raise StoppedError(message) from None


@contextmanager
def told_if_terminated(message: Callable[[], str]) -> Iterator[None]:
    """Ctrl-C is a good end of what goes to standard output row by row.

    SIGTERM is not: it comes from a shutdown or a batch system, and whatever is run
    next must not take the rows for all.

    Raises:
        StoppedError: with the message, if SIGTERM comes.
    """
    unfinished.begin()
    try:
        yield
    except QuietEndError as end:
        if end.signal != signal.SIGTERM:
            raise
        clear_bar()
        raise StoppedError(message()) from None
