"""What a subscriber of the load generator needs to know of a line."""

import json
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple


class Line(NamedTuple):
    """One line of the protocol."""

    type: str
    seq: int | None
    end_ms: float
    """Of a prediction or a snapshot, else 0."""
    spoken: float
    """Of a prediction: its `time`, seconds since 1970, else 0."""
    ready: float
    """`spoken` and `latency_ms`: when the daemon had the line ready."""
    n_dropped: int
    """The count of a `dropped`, else 0."""
    to_seq: int
    """Likewise."""
    reason: str
    """Of a `bye`."""


@lru_cache(maxsize=4096)
def read(line: bytes) -> Line:
    """Parse a line; hundreds of subscribers get the same one, so it is remembered."""
    fields = json.loads(line)
    spoken = ready = 0.0
    if fields["type"] == "prediction":
        spoken = datetime.fromisoformat(fields["time"]).timestamp()
        ready = spoken + fields["latency_ms"] / 1000
    return Line(
        fields["type"],
        fields.get("seq"),
        fields.get("end_ms", 0),
        spoken,
        ready,
        fields.get("count", 0),
        fields.get("to_seq", 0),
        fields.get("reason", ""),
    )


class Original:
    """Whether all subscribers get the same bytes for the same event."""

    REMEMBERED = 20_000

    def __init__(self) -> None:
        self._lines: dict[int, bytes] = {}
        self.newest = 0
        """The highest `seq` that any subscriber got."""
        self.different = 0
        """How many lines were not what another subscriber got."""

    def compare(self, seq: int, line: bytes) -> None:
        """Take note of an event that one subscriber got."""
        if self._lines.setdefault(seq, line) != line:
            self.different += 1
        if seq > self.newest:
            self.newest = seq
            self._lines.pop(seq - self.REMEMBERED, None)
