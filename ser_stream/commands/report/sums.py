"""The day -> time in each emotion, by hour, and what was most certain."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ser_stream.commands.report.day import NO_SPEECH, SPEECH, UNCERTAIN, Day, Told

MOST_CERTAIN = 10
HOUR_S = 3600


@dataclass
class Share:
    """One emotion: how long, and how many times."""

    seconds: float = 0.0
    times: int = 0
    longest: float = 0.0


@dataclass
class Hour:
    """An hour of the clock, and the seconds of each emotion and state in it."""

    start: float
    emotions: dict[str, float] = field(default_factory=dict)
    states: dict[str, float] = field(default_factory=dict)


@dataclass
class Sums:
    shares: dict[str, Share]
    states: dict[str, float] | None
    """Seconds of speech, doubt and no speech; None where no steps were told."""
    untold: float | None
    """Seconds of the period of which no step tells anything."""
    hours: list[Hour]
    certain: list[Told]


def sums(day: Day) -> Sums:
    shares = {label: Share() for label in day.labels}
    hours: dict[float, Hour] = {}
    for told in day.told:
        share, seconds = shares[told.label], told.end - told.start
        share.seconds += seconds
        share.times += 1
        share.longest = max(share.longest, seconds)
        for hour, part in _by_hour(told.start, told.end):
            emotions = hours.setdefault(hour, Hour(hour)).emotions
            emotions[told.label] = emotions.get(told.label, 0.0) + part
    states = dict.fromkeys((SPEECH, UNCERTAIN, NO_SPEECH), 0.0)
    for stretch in day.stretches:
        states[stretch.state] += stretch.end - stretch.start
        for hour, part in _by_hour(stretch.start, stretch.end):
            of = hours.setdefault(hour, Hour(hour)).states
            of[stretch.state] = of.get(stretch.state, 0.0) + part
    steps = bool(day.steps)
    untold = max(0.0, day.end - day.start - _covered(day)) if steps else None
    certain = sorted(day.told, key=lambda told: (-told.confidence, told.surest))
    return Sums(
        shares,
        states if steps else None,
        untold,
        [hours[start] for start in sorted(hours)],
        [t for t in certain if day.period.holds(t.surest)][:MOST_CERTAIN],
    )


def _covered(day: Day) -> float:
    """Seconds of which a step tells something; runs may have told at the same time."""
    covered, until = 0.0, -math.inf
    for stretch in day.stretches:  # by their start
        covered += max(0.0, stretch.end - max(stretch.start, until))
        until = max(until, stretch.end)
    return covered


def _by_hour(start: float, end: float) -> Iterator[tuple[float, float]]:
    """The hours of the clock here that a stretch touches, and its seconds in each."""
    while start < end:
        offset = datetime.fromtimestamp(start).astimezone().utcoffset()
        shift = offset.total_seconds() if offset is not None else 0.0
        hour = math.floor((start + shift) / HOUR_S) * HOUR_S - shift
        stop = min(end, hour + HOUR_S)
        yield hour, stop - start
        start = stop


def iso(seconds: float | None) -> str | None:
    """Seconds since 1970 -> an ISO time with the zone of here, to the second."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def as_json(day: Day, found: Sums) -> dict[str, Any]:
    """For machines; seconds to the tenth, times with their zone."""
    return {
        "start": iso(day.start),
        "end": iso(day.end),
        "runs": [
            {"start": iso(r.start), "end": iso(r.end), "model": r.model or None}
            | {"licence": r.licence or None, "device": r.device or None}
            for r in day.runs
        ],
        "emotions": {
            label: {"seconds": round(s.seconds, 1), "times": s.times}
            | {"longest_s": round(s.longest, 1)}
            for label, s in found.shares.items()
        },
        "states": _rounded(found.states),
        "untold_s": None if found.untold is None else round(found.untold, 1),
        "hours": [
            {"start": iso(h.start), "emotions": _rounded(h.emotions)}
            | {"states": _rounded(h.states) if day.steps else None}
            for h in found.hours
        ],
        "most_certain": [
            {"time": iso(t.surest), "label": t.label, "confidence": t.confidence}
            | {"seconds": round(t.end - t.start, 1)}
            for t in found.certain
        ],
        "losses": losses(day),
    }


def losses(day: Day) -> dict[str, Any]:
    return {
        "overflows": day.overflows,
        "outages": [
            {"state": o.state, "start": iso(o.start), "end": iso(o.end)}
            for o in day.outages
        ],
        "dropped": day.dropped,
        "damaged_lines": day.damaged,
        "out_of_order": day.late,
        "unknown_messages": dict(day.unknown),
    }


def _rounded(values: dict[str, float] | None) -> dict[str, float] | None:
    if values is None:
        return None
    return {name: round(seconds, 1) for name, seconds in values.items()}
