"""What C libraries print to standard error goes to our log instead.

They write to the descriptor itself, so it is the descriptor that has to be moved; for
all threads, hence only around the calls that may print.
"""

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_LOGGER = logging.getLogger(__name__)
_STDERR = 2
_LOCK = threading.RLock()
_CHANGE = threading.Lock()
_saved: list[int] = []
"""The true standard error, while `quiet`."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what libraries print to our log, at level DEBUG."""
    with _LOCK:
        if _saved:
            # Within another one, which has it in its care already.
            yield
            return
        with _scratch() as chatter:
            try:
                saved = os.dup(_STDERR)
            except OSError:
                # Standard error is closed: nothing to keep quiet.
                yield
                return
            with _CHANGE:
                _saved.append(saved)
            try:
                os.dup2(chatter.fileno(), _STDERR)
                yield
            finally:
                with _CHANGE:
                    _saved.clear()
                    os.dup2(saved, _STDERR)
                    os.close(saved)
                _log(chatter)


def _log(chatter: IO[bytes]) -> None:
    if not os.fstat(chatter.fileno()).st_size:
        return
    chatter.seek(0)
    for line in chatter.read().decode(errors="replace").splitlines():
        if line.strip():
            _LOGGER.debug("audio library: %s", line.strip())


def loud() -> None:
    """End `quiet` before its time: a library hangs, and errors have to be seen."""
    with _CHANGE:
        for saved in _saved:
            os.dup2(saved, _STDERR)


def _scratch() -> IO[bytes]:
    # In memory where that is possible: disks are full, and folders read-only.
    create = getattr(os, "memfd_create", None)
    if create is None:
        return tempfile.TemporaryFile()
    return os.fdopen(create("chatter"), "w+b")
