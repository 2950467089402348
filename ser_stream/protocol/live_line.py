"""The line under the text of a terminal, which is rewritten: level, class, confidence.

Rich, which typer brings, knows which colours the terminal has; it is imported with the
first step, so that pipes do without.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any, TextIO

Fields = Mapping[str, Any]
QUIETEST_DBFS = -60.0
"""Where the meter begins; it ends at full scale."""
_METER = 8
_BAR = 20
_TIME, _LEVEL, _CLASS = 12, 13, 15
"""Columns of `now` with the time, the level in figures, the class with its score."""


def can_rewrite(output: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a line of it can be written over.

    That takes a terminal, and none that is `dumb`; `NO_COLOR` asks for lines too, as
    of `watch`.
    """
    dumb = environment.get("TERM") in ("dumb", "unknown")
    return output.isatty() and not dumb and not environment.get("NO_COLOR")


def live_line(step: Fields, at: str, printable: Callable[[str], str]) -> str:
    """A prediction as one line that fits the terminal, in its colours.

    What has no room is left out: first the bar, then the meter, then the level.

    Args:
        step: the message.
        at: its time, to be read, and of several sources which it is of.
        printable: makes names from elsewhere harmless.
    """
    width = shutil.get_terminal_size().columns - 1
    # Of this step alone: the lines above tell what is steady, which may be another.
    now = f"now {at:>6}  "
    room = width - max(_TIME, len(now)) - _CLASS
    parts = [(now, "")]
    if room > _LEVEL + _METER:
        parts.append((_meter(step["level_dbfs"]), "green"))
        room -= _METER
    if room >= _LEVEL:
        parts.append((f"{step['level_dbfs']:6.1f} dBFS  ", ""))
        room -= _LEVEL
    if step["scores"] is None:
        parts.append(("(no speech)", "dim"))
        return _coloured(parts, width)
    style = "dim" if step["label"] == "uncertain" else "bold"
    parts.append((f"{printable(step['label']):<10} ", style))
    columns = min(_BAR, room - 1)
    if columns > 3:
        full = round(columns * step["confidence"])
        parts.append(("█" * full + "·" * (columns - full) + " ", style))
    return _coloured([*parts, (f"{step['confidence']:.2f}", "")], width)


def _meter(dbfs: float) -> str:
    share = min(1.0, max(0.0, (dbfs - QUIETEST_DBFS) / -QUIETEST_DBFS))
    full = round(_METER * share)
    return "▮" * full + "▯" * (_METER - full)


def _coloured(parts: list[tuple[str, str]], width: int) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(force_terminal=True, width=max(1, width), soft_wrap=True)
    text = Text.assemble(*parts, no_wrap=True, end="")
    text.truncate(max(1, width))
    with console.capture() as capture:
        console.print(text, end="")
    return capture.get()
