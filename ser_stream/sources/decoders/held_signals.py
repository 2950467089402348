"""Signals that come while something begins which only its owner can end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def held_signals(*numbers: int) -> Iterator[None]:
    """Have them come afterwards; processes that begin meanwhile never see them."""
    came: set[int] = set()
    with ExitStack() as undo:
        for number in numbers:
            undo.callback(_raise, number, came)
        if threading.current_thread() is threading.main_thread():
            # A signal that this thread blocks goes to another, and its handler here.
            for number in numbers:
                handler = signal.signal(number, lambda number, _: came.add(number))
                undo.callback(signal.signal, number, handler or signal.SIG_DFL)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        undo.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        yield


def _raise(number: int, came: set[int]) -> None:
    if number in came:
        signal.raise_signal(number)
