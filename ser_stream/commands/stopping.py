"""Commands that a signal stops before what was asked for is done."""

from collections.abc import Iterator
from contextlib import contextmanager

from ser_stream.commands.progress import clear_bar
from ser_stream.errors import QuietEndError, StoppedError


@contextmanager
def told_if_stopped(message: str) -> Iterator[None]:
    """Elsewhere a signal is a good end; here something was asked for, and not done.

    Raises:
        StoppedError: with the message, if a signal comes.
    """
    try:
        yield
    except QuietEndError:
        clear_bar()
        raise StoppedError(message) from None
