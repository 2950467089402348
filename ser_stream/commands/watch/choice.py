"""Whether a terminal can be painted, or is written to line by line."""

import os
import sys
from collections.abc import Mapping


def can_be_painted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether all three streams are a terminal that moves its cursor, in colours.

    Keys come from standard input, and textual paints on standard error. `NO_COLOR`
    asks for lines (no-color.org), and so does a terminal that is `dumb`.
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    return all(
        stream is not None and stream.isatty()
        for stream in (sys.stdin, sys.stdout, sys.stderr)
    )
