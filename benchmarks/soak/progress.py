"""How far a part is, on standard error."""

import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

OFTEN, SELDOM = 0.5, 30.0
"""Seconds between two lines: a terminal's is rewritten, a file's grow."""


def bar(name: str, total: float, unit: str = "s") -> Any:
    """A bar; `update(n)` as `tqdm` has it."""
    pause = OFTEN if sys.stderr.isatty() else SELDOM
    return tqdm(
        total=round(total),
        desc=name,
        unit=unit,
        file=sys.stderr,
        mininterval=pause,
        bar_format="{desc}: {percentage:3.0f}% of {total_fmt} {unit}, {elapsed} "
        "so far, {remaining} to go{postfix}",
    )


def wait(name: str, seconds: float, go_on: Callable[[], bool]) -> None:
    """Let time pass, as long as `go_on` says so."""
    with bar(name, seconds) as shown:
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds and go_on():
            shown.update(int(passed) - shown.n)
            time.sleep(min(0.25, max(0.0, seconds - passed)))
        shown.update(shown.total - shown.n)
