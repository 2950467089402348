"""The lines of the view: each a function of the state, and as wide as it is told."""

import math
from collections.abc import Sequence

from rich.text import Text

from ser_stream.commands.colours import colours, ink
from ser_stream.commands.watch.state import GONE, Logged, WatchState
from ser_stream.commands.watch.timeline import (
    NO_SPEECH,
    UNCERTAIN,
    UNDECIDED,
    UNTOLD,
)
from ser_stream.commands.watch.words import local_time, percent, span
from ser_stream.protocol.text import printable

EIGHTHS = " ▏▎▍▌▋▊▉█"
QUIETEST_DBFS = -60.0
"""Where the meter begins; it ends at full scale, 0 dBFS."""
MARKS = {NO_SPEECH: "·", UNCERTAIN: "?", UNDECIDED: "-", UNTOLD: " "}
"""In the timeline, beside the letters of the emotions."""
WORDS = {NO_SPEECH: "no speech", UNCERTAIN: "uncertain", UNDECIDED: "undecided"}


def badge(label: str, of: dict[str, str]) -> Text:
    """The name of an emotion on its colour."""
    colour = of.get(label, "#7F7F7F")
    return Text(
        f" {printable(label).upper()} ", style=f"bold {ink(colour)} on {colour}"
    )


def steady(state: WatchState, width: int) -> Text:
    """What is told steadily, since when, and how sure it is; or why nothing is."""
    line = Text().append("steady  ", style="dim")
    if state.link != "connected":
        word = "NOT CONNECTED" if state.link == "lost" else "CONNECTING"
        return line.append(f" {word} ", style="bold reverse")
    if (now := state.steady) is not None:
        line.append_text(badge(now.label, colours(state.labels)))
        since = span((state.now_ms or now.start_ms) - now.start_ms)
        sure = "" if now.confidence is None else f", {percent(now.confidence)}"
        held = ", held" if state.step and state.step["scores"] is None else ""
        whole = f" since {since}{sure}{' sure' if sure else ''}{held}"
        fits = line.cell_len + len(whole) <= width
        line.append(whole if fits else f" {since}{sure}{held}")
    elif state.audio in GONE:
        line.append(f" {printable(state.audio).upper()} ", style="bold reverse")
        line.append(" no sound comes")
    elif state.step is None:
        line.append("nothing yet")
    elif state.step["scores"] is None:
        line.append(" NO SPEECH ", style="bold reverse")
    elif state.step["label"] == UNCERTAIN:
        line.append(" UNCERTAIN ", style="bold reverse")
    else:
        line.append("no emotion yet")
    return line


def now(state: WatchState) -> Text:
    """What the last step says by itself; it may differ from what is steady."""
    line = Text().append("now     ", style="dim")
    step = state.step
    if step is None:
        return line.append("-")
    if step["scores"] is None or step["confidence"] is None:
        return line.append("no speech")
    best = max(step["scores"], key=lambda label: (step["scores"] or {})[label])
    if step["label"] == UNCERTAIN:
        line.append(f"uncertain, {printable(best)} {percent(step['confidence'])}")
    else:
        line.append(f"{printable(str(step['label']))} {percent(step['confidence'])}")
    return line


def bars(state: WatchState, width: int, most: int, thick: int = 1) -> list[Text]:
    """A bar for each class, or for the likeliest of more than `most`.

    Each is `thick` lines; where that is more than one, a blank line follows it.
    """
    labels = list(state.labels)
    scores = (state.step["scores"] if state.step else None) or {}
    left_out = max(0, len(labels) - max(1, most))
    if left_out:
        left_out += 1  # the line that says so
        likely = sorted(labels, key=lambda x: -scores.get(x, 0.0))
        keep = likely[: len(labels) - left_out]
        labels = [label for label in labels if label in keep]
    of = colours(state.labels)
    column = min(12, max(map(len, labels), default=0))
    rows = []
    for label in labels:
        bar = _bar(label, scores.get(label), of[label], column, width)
        plain = Text(" " * (column + 1)).append_text(bar[column + 1 : width - 6])
        around = [plain.copy() for _ in range(thick - 1)]
        middle = (thick - 1) // 2
        rows += [*around[:middle], bar, *around[middle:]]
        if thick > 1:
            rows.append(Text())
    if left_out and most > 1:
        rows.append(Text(f"… {left_out} classes more", style="dim"))
    return rows


def _bar(label: str, score: float | None, colour: str, column: int, width: int) -> Text:
    line = Text(f"{printable(label)[:column]:<{column}} ")
    room = max(1, width - column - 7)
    line.append(blocks(score or 0.0, room), style=f"{colour} on #303030")
    return line.append(" -" if score is None else f" {percent(score):>5}")


def blocks(share: float, room: int) -> str:
    """A bar of `room` columns, in eighths of one."""
    eighths = round(min(1.0, max(0.0, share)) * room * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(room)


def level(state: WatchState, width: int) -> Text:
    """A meter of the last step, and whether its peaks, or late ones, are cut."""
    line = Text().append("level ", style="dim")
    if state.step is None:
        return line.append("-")
    dbfs = state.step["level_dbfs"]
    clips = state.clips
    said = f" {dbfs:.1f} dBFS" + (" CLIPS" if clips else "")
    room = max(4, width - 6 - max(len(said), 12))
    colour = "#D55E00" if clips else "#009E73"
    share = (dbfs - QUIETEST_DBFS) / -QUIETEST_DBFS
    line.append(blocks(share, room), style=f"{colour} on #303030")
    return line.append(said, style="bold" if clips else "")


def strip(state: WatchState, width: int, length_ms: float) -> Text:
    """The last minutes in a row: names on colours; the rest by the marks."""
    of = colours(state.labels)
    cells = _cells(state, width, length_ms)
    line = Text()
    begin = 0
    while begin < len(cells):
        end = begin
        while end < len(cells) and cells[end] == cells[begin]:
            end += 1
        cell, count = cells[begin], end - begin
        if cell in of:
            style = f"{ink(of[cell])} on {of[cell]}"
            line.append(printable(cell)[:count].ljust(count), style=style)
        else:
            line.append(MARKS.get(cell, " ") * count, style="dim")
        begin = end
    return line


def lanes(
    state: WatchState, width: int, length_ms: float, thick: int = 1
) -> list[Text]:
    """The last minutes with `thick` rows for each class, and one for the rest."""
    of = colours(state.labels)
    column = min(12, max([9, *map(len, state.labels)]))
    room = max(1, width - column - 1)
    cells = _cells(state, room, length_ms)
    rows = []
    for label in state.labels:
        line = Text(f"{printable(label)[:column]:<{column}} ")
        row = "".join("█" if cell == label else " " for cell in cells)
        rows.append(line.append(row, style=of[label]))
        below = Text(" " * (column + 1)).append(row, style=of[label])
        rows += [below.copy() for _ in range(thick - 1)]
    rest = Text(f"{'none':<{column}} ")
    rest.append("".join(MARKS.get(cell, " ") for cell in cells), style="dim")
    return [*rows, rest]


def _cells(state: WatchState, count: int, length_ms: float) -> list[str]:
    if state.now_ms is None or state.hello is None:
        return [UNTOLD] * count
    # On a fixed grid, so that what is drawn does not flicker as it moves.
    width = length_ms / count
    end = math.ceil(state.now_ms / width) * width
    step_ms = float(state.hello["audio"]["step_ms"])
    return state.timeline.cells(count, end - length_ms, end, step_ms)


def axis(width: int, length_ms: float, indent: int = 0) -> Text:
    """How far back the timeline goes, and what its marks mean."""
    room = width - indent
    begin = f"-{span(length_ms)}"
    marks = "· no speech  ? uncertain  - undecided"
    middle = marks if room > len(begin) + len(marks) + 9 else ""
    text = begin + middle.center(room - len(begin) - 3) + "now"
    return Text(" " * indent + text, style="dim")


def log(lines: Sequence[Logged], count: int) -> list[Text]:
    """The last lines, the newest one last."""
    rows = []
    for entry in list(lines)[-count:] if count > 0 else []:
        time = f"{local_time(entry.time)} " if entry.time else ""
        rows.append(Text().append(time, style="dim").append(printable(entry.text)))
    return rows
