"""Makes docs/watch.svg: `ser-stream watch` while it hears the bundled minute.

    python docs/make_pictures.py

Frames are drawn from what a daemon says of `tests/data/emodb_minute.flac`, one each
second, by the code that paints the terminal; the SVG shows them one after the other, at
their pace. It loads nothing, and the same events give the same bytes.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

from ser_stream.client.lines import as_message
from ser_stream.commands.watch.screen import screen
from ser_stream.commands.watch.state import WatchState

ROOT = Path(__file__).parents[1]
MINUTE = "tests/data/emodb_minute.flac"
WIDTH, HEIGHT = 72, 21
FIRST_MS, LAST_MS, FRAME_MS = 2_500, 21_500, 1_000
LETTER, LINE, SIZE, EDGE = 8.4, 18, 14, 14
"""Pixels: of a letter, a line, the font, and around."""
PAPER, INK, DIM = "#16161d", "#e4e4e4", "#9a9aa5"


def events() -> Iterator[dict[str, Any]]:
    """What the daemon says, without what differs from run to run."""
    command = [sys.executable, "-m", "ser_stream", "listen", "--input", MINUTE]
    done = subprocess.run(
        [*command, "--pace", "fast"], cwd=ROOT, capture_output=True, check=True
    )
    for line in done.stdout.splitlines():
        fields = json.loads(line)
        if fields["type"] == "prediction":
            fields["latency_ms"] = 3.0
        yield fields


def frames() -> list[list[Text]]:
    """The screen at each second."""
    state, shown = WatchState(), list[list[Text]]()
    due = FIRST_MS
    for fields in events():
        message = as_message(fields)
        assert message is not None
        state.take(message)
        if state.now_ms is not None and state.now_ms >= due:
            # What only a Unix socket tells; one is watching.
            audio = {"lost_s": 0, "gaps": 0}
            state.figures = {"subscribers": {"unix": 1}, "audio": audio}
            shown.append(screen(state, WIDTH, HEIGHT))
            due += FRAME_MS
        if due > LAST_MS:
            break
    return shown


def line(text: Text, y: int, console: Console) -> str:
    """A line of the terminal: rectangles behind, letters before them."""
    behind, before, x = "", "", float(EDGE)
    base = console.get_style(text.style)
    for segment in text.render(console):
        style = base + (segment.style or Style())
        ink, paper = _colour(style.color), _colour(style.bgcolor)
        ink = ink or (DIM if style.dim else INK)
        if style.reverse:
            ink, paper = paper or PAPER, ink
        width = LETTER * segment.cell_length
        if paper:
            behind += f'<path fill="{paper}" d="M{x:.1f} {y}h{width:.1f}v{LINE}h-'
            behind += f'{width:.1f}z"/>'
        if segment.text.strip():
            bold = ' font-weight="bold"' if style.bold else ""
            before += f'<text x="{x:.1f}" y="{y + 13.5}" fill="{ink}"{bold} '
            before += f'textLength="{width:.1f}">{_spaced(segment.text)}</text>'
        x += width
    return behind + before


def _spaced(text: str) -> str:
    return escape(text).replace(" ", "\N{NO-BREAK SPACE}")


def _colour(colour: Color | None) -> str:
    if colour is None or colour.is_default:
        return ""
    return colour.get_truecolor(MONOKAI).hex


def svg(shown: list[list[Text]]) -> str:
    """The frames, each visible for its time; where nothing moves, the last one."""
    console = Console(width=WIDTH, color_system="truecolor", force_terminal=True)
    seconds = len(shown) * FRAME_MS / 1000
    width, height = WIDTH * LETTER + 2 * EDGE, HEIGHT * LINE + 2 * EDGE
    share = 100 / len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'font-family="ui-monospace,DejaVu Sans Mono,Menlo,Consolas,monospace" '
        f'font-size="{SIZE}" role="img" aria-label="ser-stream watch on a terminal: '
        "the steady emotion, scores of all classes, level and timeline of the bundled "
        'minute">',
        f"<style>g{{visibility:hidden;animation:f {seconds:g}s step-end infinite}}"
        f"@keyframes f{{0%{{visibility:visible}}{share:.3f}%{{visibility:hidden}}}}"
        "@media (prefers-reduced-motion){g{animation:none}"
        "g:last-of-type{visibility:visible}}</style>",
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
    ]
    for n, rows in enumerate(shown):
        delay = n * FRAME_MS / 1000
        parts.append(f'<g style="animation-delay:{delay:g}s">')
        parts += [line(row, EDGE + y * LINE, console) for y, row in enumerate(rows)]
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/watch.svg").write_text(svg(frames()), encoding="utf-8")
