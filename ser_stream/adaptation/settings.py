"""How `listen --adapt` adapts: the table `[adapt]` of the configuration."""

from dataclasses import dataclass
from typing import Literal, get_args

from ser_stream.errors import ConfigError

Scope = Literal["whole", "cheap"]
DEFAULT_SCOPE: Scope = "cheap"
EXPECT = (
    "on voices that the model never heard, learning without labels brought nothing; "
    "ser-stream enroll and teach help"
)
"""What users are told when it runs; docs/adaptation.md has the figures."""
SHORTEST_S, LONGEST_S = 10.0, 86_400.0
"""Seconds of new speech between two rounds."""


@dataclass(frozen=True, slots=True)
class AdaptConfig:
    """Settings of online adaptation, checked."""

    enabled: bool = False
    pack: str | None = None
    """Folder of the adaptation pack; None for the one beside the model."""
    state: str | None = None
    """Folder for what is learnt; None for `adaptation` in the folder for state."""
    scope: Scope = DEFAULT_SCOPE
    """What a round may change: `cheap` the head and the statistics of batch
    normalisation; `whole` the encoder's kernels too, for ten times the time."""
    every_s: float = 180.0
    """Seconds of new speech that a round waits for."""
    keep_speech: bool = False
    """Whether the features of the speech it learns from outlast a restart, on disk."""
    capacity: int = 400
    """Windows of speech that are stored to learn from."""

    def __post_init__(self) -> None:
        if self.scope not in get_args(Scope):
            raise ConfigError(
                f"adapt.scope is {self.scope!r}; allowed: {', '.join(get_args(Scope))}"
            )
        if not SHORTEST_S <= self.every_s <= LONGEST_S:
            raise ConfigError(
                f"adapt.every_s is {self.every_s:g}; allowed: {SHORTEST_S:g} to "
                f"{LONGEST_S:g} s of speech"
            )
