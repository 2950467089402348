"""How the running daemon is: what `status`, the metrics and systemd are told.

One thread writes, the worker; others read whenever they like. Each field is replaced
whole, so a reader sees the old value or the new one, never half of it.
"""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

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
    failed: str = ""
    """Why the source gave less than it should, at its end."""
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
        if self.audio is AudioState.ENDED:
            return bool(self.failed)
        return self.known and self.audio not in (AudioState.HEALTHY, AudioState.PAUSED)

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self.started


def latency_ms(seconds: Iterable[float]) -> dict[str, float] | None:
    """Median and 99th percentile, `p50` and `p99`, in milliseconds; None of nothing."""
    found = list(seconds)
    if not found:
        return None
    p50, p99 = np.percentile(found, [50, 99]) * 1000
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1)}


_WORST_FIRST = (
    *(AudioState.FAILED, AudioState.LOST, AudioState.RECOVERING, AudioState.RESUMED),
    *(AudioState.HEALTHY, AudioState.PAUSED, AudioState.ENDED),
)
MAX_TEXT = 1000
"""Characters of what is said of all."""
_SHOWN = 3
"""Sources that are named one by one."""


def together(named: Mapping[str, Health]) -> Health:
    """How all sources are: the sums, and the state of the worst; of one, itself.

    It is asked for often, so latencies stay where they are: there may be many.

    Args:
        named: of each stream, by its name.
    """
    all_of = list(named.values())
    if len(all_of) == 1:
        return all_of[0]
    worst = min(all_of, key=lambda one: _WORST_FIRST.index(_state(one)))
    troubles = [
        f"{name}: {one.detail or one.audio.value}"
        for name, one in named.items()
        if one.degraded or (one.known and _state(one) is not AudioState.HEALTHY)
    ]
    first = all_of[0]
    return Health(
        started=min(one.started for one in all_of),
        audio=_state(worst),
        known=all(one.known for one in all_of),
        detail=_some(troubles, "; "),
        device=_some(
            [*dict.fromkeys(one.device for one in all_of if one.device)], ", "
        ),
        model=first.model,
        model_sha256=first.model_sha256,
        adapted=first.adapted,
        adaptations=first.adaptations,
        end=max(one.end for one in all_of),
        steps=sum(one.steps for one in all_of),
        emotions=sum(one.emotions for one in all_of),
        skipped=sum(one.skipped for one in all_of),
        overflows=sum(one.overflows for one in all_of),
        gaps=sum(one.gaps for one in all_of),
        lost_samples=sum(one.lost_samples for one in all_of),
        beats=sum(one.beats for one in all_of),
    )


def _state(one: Health) -> AudioState:
    """The state of its audio; of what ended because it broke, that."""
    return AudioState.FAILED if one.failed else one.audio


def _some(texts: Sequence[str], between: str) -> str:
    more = len(texts) - _SHOWN
    shown = between.join(texts[:_SHOWN])
    text = f"{shown}{between}and {more} more" if more > 0 else shown
    return text[:MAX_TEXT]
