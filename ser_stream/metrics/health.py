"""How the running daemon is: what `status`, the metrics and systemd are told.

One thread writes, the worker; others read whenever they like. Each field is replaced
whole, so a reader sees the old value or the new one, never half of it.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ser_stream.pipeline.values import AudioState

LATENCIES = 1500
"""Steps whose latency is remembered; five minutes at the default step."""
ADAPTATION_PHASES = ("started", "accepted", "rejected", "rolled_back")
"""Phases of the protocol's `adaptation`."""


class BrokerLink(Protocol):
    """What is told of a connection to a broker; see `ser_stream.sinks.LinkState`."""

    @property
    def address(self) -> str: ...
    @property
    def connected(self) -> bool: ...
    @property
    def sent(self) -> int: ...
    @property
    def dropped(self) -> int: ...


@dataclass
class Health:
    """Counters since the start, and the present state."""

    started: float = field(default_factory=time.monotonic)
    """Monotonic seconds."""
    audio: AudioState = AudioState.RECOVERING
    """Until the first sample came, a source is being opened."""
    known: bool = False
    """Whether `audio` has been found out: sound came, or the device is known to be
    absent or paused."""
    detail: str = ""
    device: str = ""
    model: str = ""
    model_sha256: str = ""
    adapted: bool = False
    adaptations: Mapping[str, int] = field(
        default_factory=lambda: dict.fromkeys(ADAPTATION_PHASES, 0)
    )
    end: int = 0
    """Sample index up to which audio was read."""
    steps: int = 0
    emotions: int = 0
    skipped: int = 0
    """Steps left out because the machine was too slow."""
    overflows: int = 0
    """How often samples were lost while the device was there."""
    gaps: int = 0
    """Jumps of the audio clock, whatever their reason."""
    lost_samples: int = 0
    """Samples that those jumps left out."""
    beats: int = 0
    """Rounds of the worker's loop; the watchdog is fed while this grows."""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    """Seconds from a step's last sample to its line, of the last steps."""

    @property
    def paused(self) -> bool:
        return self.audio is AudioState.PAUSED

    @property
    def degraded(self) -> bool:
        """Whether the operator should look: no audio comes, and it is not paused."""
        return self.known and self.audio not in (AudioState.HEALTHY, AudioState.PAUSED)

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self.started
