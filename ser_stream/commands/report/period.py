"""Since when, and until when."""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from ser_stream.errors import ConfigError

AGO = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d|w)")
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Period(NamedTuple):
    """Seconds since 1970; None where it is open."""

    since: float | None = None
    until: float | None = None

    def holds(self, at: float) -> bool:
        return not (
            (self.since is not None and at < self.since)
            or (self.until is not None and at > self.until)
        )

    def clipped(self, start: float, end: float) -> tuple[float, float]:
        """The part of a stretch that lies in it; empty or negative if none does."""
        if self.since is not None:
            start = max(start, self.since)
        return start, end if self.until is None else min(end, self.until)


def moment(flag: str, text: str | None, now: datetime) -> float | None:
    """`8h`, so long ago, or an ISO time, of here unless it names a zone.

    Raises:
        ConfigError: if it is neither.
    """
    if text is None:
        return None
    try:
        if ago := AGO.fullmatch(text.strip()):
            seconds = float(ago[1]) * SECONDS[ago[2]]
            return (now - timedelta(seconds=seconds)).timestamp()
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"{flag} {text!r} is no time; allowed: 8h, 2d or 30min, which is so long "
            "ago, or an ISO time as 2026-01-31T08:00"
        ) from None
