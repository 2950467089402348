"""Seconds as people read them: m:ss, from an hour on h:mm:ss."""

import re

WRITTEN = re.compile(r"(?:(?:([0-9]+):)?([0-9]+):)?([0-9]+(?:\.[0-9]*)?)")
TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Distances of an axis's ticks, seconds."""
MOST_TICKS = 13


def clock(seconds: float, digits: int = 1) -> str:
    """Seconds as m:ss.s, from an hour on h:mm:ss.s.

    Args:
        seconds: 0 or more.
        digits: behind the point; without, there is no point.
    """
    tens = 10**digits
    units = round(seconds * tens)
    minutes, units = divmod(units, 60 * tens)
    hours, minutes = divmod(minutes, 60)
    width = 2 if digits == 0 else 3 + digits
    end = f"{units / tens:0{width}.{digits}f}"
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"


def parse_clock(text: str) -> float:
    """Seconds of what `clock` writes, or of a plain number of seconds.

    Raises:
        ValueError: if it is neither.
    """
    found = WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no time; allowed: seconds, m:ss, h:mm:ss")
    hours, minutes, seconds = found.groups("0")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def tick_s(length_s: float) -> float:
    """How far apart ticks are on an axis of a length, in seconds."""
    for distance in TICKS_S:
        if length_s / distance <= MOST_TICKS:
            return distance
    return TICKS_S[-1] * -(-length_s // (TICKS_S[-1] * MOST_TICKS))
