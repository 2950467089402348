"""Variables that a C library is to see for a moment, and no other program.

Some libraries take their settings from the environment alone. What we set for them is
not the user's, so programs that we start meanwhile get the environment without it.
"""

import contextlib
import os
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()
_before: dict[str, str | None] = {}
"""What ours stands in place of."""


@contextlib.contextmanager
def set_meanwhile(name: str, value: str) -> Iterator[None]:
    """Set a variable until the block ends; not twice at once."""
    with _LOCK:
        before = _before[name] = os.environ.get(name)
        os.environ[name] = value
    try:
        yield
    finally:
        with _LOCK:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
            del _before[name]


def surroundings() -> dict[str, str]:
    """The environment, for other programs: without what is ours in it."""
    with _LOCK:
        true = {**os.environ, **_before}
    return {name: value for name, value in true.items() if value is not None}
