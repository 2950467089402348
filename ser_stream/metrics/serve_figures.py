"""What `ser-stream serve` tells of itself in figures, as it is now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ser_stream.metrics.health import BrokerLink, Health


@dataclass(frozen=True, slots=True)
class ServeFigures:
    model: str
    model_sha256: str
    adapted: bool
    streams: Mapping[str, int]
    """Streams that are open, by kind of address."""
    clients: Mapping[str, int]
    """Connections, also those that have opened no stream."""
    max_streams: int
    late: int
    """Live streams that the machine is behind with."""
    opened: int
    """Streams, since the start, as all below."""
    refused: Mapping[str, int]
    """Clients that were told no, by code."""
    ended: Mapping[str, int]
    """Streams, by the reason of `bye`."""
    heard: Health
    """Of all streams together: `end` is the sum of what each heard, in samples."""
    dropped: int
    """Predictions that slow clients did not get."""
    compute_s: Mapping[str, float]
    """Seconds that the computing thread computed, by pace: `realtime`, `fast`."""
    inputs: Mapping[str, bool]
    """Whether brokers are connected that clients come by, by address."""
    links: Sequence[BrokerLink]
    """Brokers that events go to."""
