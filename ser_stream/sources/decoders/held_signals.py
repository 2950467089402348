"""Signals that come while something begins which only its owner can end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_signals(*numbers: int) -> Iterator[None]:
    """Have them come afterwards; processes that begin meanwhile never see them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
