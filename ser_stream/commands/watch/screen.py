"""The state as lines of text, from 40 columns by 12 lines on."""

from dataclasses import dataclass

from rich.text import Text

from ser_stream.commands.watch import facts, parts
from ser_stream.commands.watch.state import WatchState

WIDE = 110
"""Columns from which on the log stands beside the bars."""
ROOMY = 56
"""Columns from which on the keys of several sources have whole words."""
TALL = 30
"""Lines from which on the timeline has a row for each class."""
MINUTE_MS = 60_000.0


@dataclass(frozen=True)
class Extras:
    """What the view says besides the state."""

    frozen: bool = False
    notice: str = ""
    """The answer to a key."""
    place: tuple[int, int] = (1, 1)
    """Which of how many sources is shown, from 1."""


def screen(
    state: WatchState, width: int, height: int, extras: Extras | None = None
) -> list[Text]:
    """Exactly `height` lines, none wider than `width`."""
    extras = extras or Extras()
    top = [_head(state, width, extras)]
    bottom = [_keys(state, width, extras)]
    room = height - len(top) - len(bottom)
    if width >= WIDE and height >= TALL:
        body = _wide(state, width, room)
    elif height >= 20:
        body = _roomy(state, width, room)
    else:
        body = _dense(state, width, room)
    body = body[:room] + [Text()] * (room - len(body))
    lines = [*top, *body, *bottom][:height]
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return lines


def _dense(state: WatchState, width: int, room: int) -> list[Text]:
    """Twelve lines: nothing between, one line of the log."""
    fixed = [parts.steady(state, width), parts.now(state)]
    bars = parts.bars(state, width, room - 5)
    rest = [parts.level(state, width), parts.strip(state, width, MINUTE_MS)]
    free = room - len(fixed) - len(bars) - len(rest)
    if free > 1:
        rest.append(parts.axis(width, MINUTE_MS))
    free = room - len(fixed) - len(bars) - len(rest)
    if free > 2:
        rest.append(Text(facts.model(state), style="dim"))
    logged = parts.log(state.log, room - len(fixed) - len(bars) - len(rest))
    if not logged and free > 0:
        logged = [Text(facts.model(state), style="dim")] if free <= 2 else []
    return [*fixed, *bars, *rest, *logged]


def _roomy(state: WatchState, width: int, room: int) -> list[Text]:
    """The same with blank lines between, and what there is to say of the daemon."""
    length = MINUTE_MS if width < WIDE else 2 * MINUTE_MS
    rows = [Text(facts.model(state), style="dim"), Text()]
    rows += [parts.steady(state, width), parts.now(state), Text()]
    bars = parts.bars(state, width, room - 14)
    rows += [*bars, Text(), parts.level(state, width), Text()]
    if room >= TALL:
        rows += [*parts.lanes(state, width, length), parts.axis(width, length, 10)]
    else:
        rows += [parts.strip(state, width, length), parts.axis(width, length)]
    told = facts.all_of(state)
    rows += [Text(), *_packed(told, width)]
    left = room - len(rows) - 1
    return [*rows, Text(), *parts.log(state.log, left)] if left > 0 else rows


def _wide(state: WatchState, width: int, room: int) -> list[Text]:
    """Two columns over a timeline with a row for each class."""
    length = 2 * MINUTE_MS
    right = width * 2 // 5
    left = width - right - 3
    count = max(1, len(state.labels))
    thick = 2 if room > 16 + 4 * count else 1
    lanes = parts.lanes(state, width, length, thick)
    lanes.append(parts.axis(width, length, 10))
    upper = room - len(lanes) - 1
    ours = [Text(facts.model(state), style="dim"), Text()]
    ours += [parts.steady(state, left), parts.now(state), Text()]
    each = max(1, min(4, (upper - 8) // count - 1))
    ours += parts.bars(state, left, (upper - 8) // (each + (each > 1)), each)
    ours += [*([Text()] if each == 1 else []), parts.level(state, left)]
    theirs = [*facts.all_of(state), Text()]
    theirs += parts.log(state.log, upper - len(theirs))
    rows = []
    for n in range(upper):
        line = ours[n] if n < len(ours) else Text()
        line.truncate(left, overflow="ellipsis", pad=True)
        line.append(" │ ", style="dim")
        rows.append(line.append_text(theirs[n] if n < len(theirs) else Text()))
    return [*rows, Text("─" * width, style="dim"), *lanes]


def _packed(texts: list[Text], width: int) -> list[Text]:
    """As many beside each other as there is room for."""
    rows: list[Text] = []
    for text in texts:
        if rows and rows[-1].cell_len + 3 + text.cell_len <= width:
            rows[-1].append(" · ").append_text(text)
        else:
            rows.append(text)
    return rows


def _head(state: WatchState, width: int, extras: Extras) -> Text:
    said = {"connected": "live", "connecting": "connecting", "lost": "reconnecting"}
    word = "FROZEN" if extras.frozen else said[state.link]
    if word == "live" and state.audio != "healthy":
        word = state.audio
    number, count = extras.place
    which = f"{number} of {count}: " if count > 1 else ""
    line = Text(which + facts.device(state), style="bold")
    line.truncate(max(1, width - len(word) - 3), overflow="ellipsis", pad=True)
    line.append(f" {'■' if extras.frozen else '●'} {word}")
    return line


def _keys(state: WatchState, width: int, extras: Extras) -> Text:
    if extras.notice:
        return Text(extras.notice, style="reverse")
    line = Text()
    pause = "resume" if state.paused else "pause"
    freeze = "go on" if extras.frozen else "freeze"
    keys = [("p", pause), ("f", freeze), ("q", "quit")]
    if (count := extras.place[1]) > 1:
        keys.insert(2, ("s", "next source" if width >= ROOMY else "next"))
    after = " " if count > 1 and width < ROOMY else "  "
    for key, what in keys:
        line.append(f" {key} ", style="reverse").append(f" {what}{after}")
    return line
