"""What `[serve]` says: where audio may be sent to, by how many, and for how long."""

from dataclasses import dataclass

from ser_stream.errors import ConfigError
from ser_stream.protocol.address import NATS, SOCKETS, WYOMING, parse
from ser_stream.sinks import one_way_forms

INPUTS = SOCKETS | WYOMING | NATS
"""What clients can send audio to, by kind."""
MOST_STREAMS = 10_000
LONGEST_S = 30 * 86_400.0
"""Thirty days."""


@dataclass(frozen=True, slots=True)
class ServeConfig:
    listen: tuple[str, ...] = ()
    """Addresses at which clients open streams."""
    to: tuple[str, ...] = ()
    """Outputs for the events of all streams, beside what each client is told."""
    max_streams: int = 200
    """At once, on all addresses."""
    idle_s: float = 30.0
    """Seconds without audio after which a stream is ended."""
    max_s: float = 0.0
    """Seconds that a stream may last; 0 for as long as it likes."""
    metrics: str | None = None
    """HOST:PORT where Prometheus may read; not that of `listen`, which may run too."""

    def __post_init__(self) -> None:
        if len({parse(uri, INPUTS) for uri in self.listen}) < len(self.listen):
            raise ConfigError(
                f"serve.listen names an address twice: {' '.join(self.listen)}"
            )
        if len({parse(uri, one_way_forms()) for uri in self.to}) < len(self.to):
            raise ConfigError(f"serve.to names an address twice: {' '.join(self.to)}")
        if not 1 <= self.max_streams <= MOST_STREAMS:
            raise ConfigError(
                f"serve.max_streams is {self.max_streams}; allowed: 1 to {MOST_STREAMS}"
            )
        if not 1 <= self.idle_s <= LONGEST_S:
            raise ConfigError(
                f"serve.idle_s is {self.idle_s:g}; allowed: 1 to {LONGEST_S:g} s"
            )
        if self.max_s and not 1 <= self.max_s <= LONGEST_S:
            raise ConfigError(
                f"serve.max_s is {self.max_s:g}; allowed: 1 to {LONGEST_S:g} s, or 0 "
                "for no limit"
            )
