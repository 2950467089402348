"""What was told, by wall-clock time: seconds since 1970."""

from dataclasses import dataclass, field

from ser_stream.commands.report.period import Period

NO_SPEECH, UNCERTAIN, SPEECH = "no_speech", "uncertain", "speech"
"""What a step says: nobody speaks; it is not sure; it is, whatever is steady."""


@dataclass
class Run:
    """A stream of a daemon, from its `hello` on."""

    stream: str
    start: float
    end: float
    model: str = ""
    licence: str = ""
    device: str = ""
    """Empty where no `hello` was among the events."""


@dataclass
class Told:
    """A steady emotion."""

    label: str
    start: float
    end: float
    confidence: float
    """The highest that an event told, at `surest`."""
    surest: float


@dataclass
class Stretch:
    """Steps in a row that say the same."""

    state: str
    start: float
    end: float


@dataclass
class Outage:
    """No sound came: `lost`, `failed` or `paused`; without an end if none was told."""

    state: str
    start: float
    end: float | None = None


@dataclass
class Day:
    period: Period
    runs: list[Run] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    """By their start; those of runs at the same time overlap."""
    steps: int = 0
    outages: list[Outage] = field(default_factory=list)
    overflows: int = 0
    """Times that samples were lost, or that the machine was too slow."""
    dropped: int = 0
    """Predictions that the subscriber who wrote the file was too slow for."""
    damaged: int = 0
    """Lines that are no messages."""
    late: int = 0
    """Events that came after later ones of their run, and are left out."""
    unknown: dict[str, int] = field(default_factory=dict)
    """Messages of types that this version does not know."""
    labels: list[str] = field(default_factory=list)
    """Of all models, in their order."""
    first: float | None = None
    last: float | None = None

    @property
    def start(self) -> float:
        since = self.period.since
        return since if since is not None else self.first or 0.0

    @property
    def end(self) -> float:
        until = self.period.until
        return until if until is not None else self.last or 0.0
