"""The pictures of the page: drawn by hand, for they are rectangles."""

import math
from datetime import datetime
from html import escape

from ser_stream.commands.colours import colours, ink
from ser_stream.commands.report.day import Day
from ser_stream.commands.report.text import span, when
from ser_stream.protocol.text import printable

WEEK_S = 7 * 24 * 3600
ROWS_S = {
    60: "a minute",
    600: "ten minutes",
    3600: "an hour",
    6 * 3600: "six hours",
    24 * 3600: "a day",
    WEEK_S: "a week",
}
"""How long a row of the timeline may be, in seconds."""
MOST_ROWS = 26
LEFT, WIDTH, HIGH, PITCH = 92, 900, 20, 28
"""Of a row: where it begins, its length, its height, and the next row's distance."""
LETTER = 7.0
"""Width of a letter."""
THINNEST = 0.4


def row_s(day: Day) -> float:
    """How long a row is: the shortest with which there are not too many."""
    length = max(1.0, day.end - day.start)
    for seconds in ROWS_S:
        if length / seconds <= MOST_ROWS - 1:
            return seconds
    return WEEK_S * math.ceil(length / WEEK_S / (MOST_ROWS - 1))


def row_words(day: Day) -> str:
    length = row_s(day)
    return ROWS_S.get(int(length)) or f"{round(length / WEEK_S)} weeks"


def timeline(day: Day) -> str:
    """A row for each minute, ten minutes, hour or more, whole ones of the clock."""
    length = row_s(day)
    offset = datetime.fromtimestamp(day.start).astimezone().utcoffset()
    shift = offset.total_seconds() if offset is not None else 0.0
    begin = math.floor((day.start + shift) / length) * length - shift
    count = max(1, math.ceil((day.end - begin) / length))
    parts = []
    for row in range(count):
        y = row * PITCH + 4
        at = datetime.fromtimestamp(begin + row * length)
        name = at.strftime("%H:%M" if length < 86_400 else "%Y-%m-%d")
        if row == 0 or (length < 86_400 and at.hour + at.minute == 0):
            name = at.strftime("%m-%d %H:%M" if length < 86_400 else "%Y-%m-%d")
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{name}</text>'
            f'<rect class="untold" x="{LEFT}" y="{y}" width="{WIDTH}" '
            f'height="{HIGH}"/>'
        )
    for stretch in day.stretches:
        for x, y, width in _pieces(stretch.start, stretch.end, begin, length):
            parts.append(
                f'<rect class="{stretch.state}" x="{x:.2f}" y="{y}" '
                f'width="{width:.2f}" height="{HIGH}"/>'
            )
    of = colours(day.labels)
    for told in day.told:
        colour = of[told.label]
        title = f"{told.label}, {when(told.start)}, {span(told.end - told.start)}"
        for x, y, width in _pieces(told.start, told.end, begin, length):
            parts.append(
                f'<rect fill="{colour}" x="{x:.2f}" y="{y}" width="{width:.2f}" '
                f'height="{HIGH}"><title>{escape(printable(title))}</title></rect>'
            )
            if width > LETTER * (len(told.label) + 1):
                parts.append(
                    f'<text class="name" x="{x + width / 2:.2f}" y="{y + 14}" '
                    f'fill="{ink(colour)}">{escape(printable(told.label))}</text>'
                )
    high = count * PITCH + 4
    described = f"Timeline, a row is {row_words(day)}; the tables below have its times."
    return (
        f'<svg class="rows" viewBox="0 0 {LEFT + WIDTH + 2} {high}" role="img" '
        f'aria-label="{escape(described)}">{"".join(parts)}</svg>'
    )


def _pieces(
    start: float, end: float, begin: float, length: float
) -> list[tuple[float, int, float]]:
    """Where a stretch lies: left, top and width, in each row that it touches."""
    pieces = []
    row = math.floor((start - begin) / length)
    while (left := begin + row * length) < end:
        first, last = max(start, left), min(end, left + length)
        width = max(THINNEST, (last - first) / length * WIDTH)
        x = LEFT + (first - left) / length * WIDTH
        pieces.append((x, row * PITCH + 4, width))
        row += 1
    return pieces


def bar(share: float, colour: str) -> str:
    """A bar in a table, beside its number."""
    width = 160 * min(1.0, max(0.0, share))
    return (
        '<svg class="bar" viewBox="0 0 160 12" aria-hidden="true"><rect fill="'
        f'{colour}" width="{width:.1f}" height="12"/></svg>'
    )
