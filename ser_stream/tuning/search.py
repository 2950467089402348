"""The settings that meet a rule with the largest recall of time."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import ConfigError
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.tuning.figures import Figures, Tally, tally
from ser_stream.tuning.replay import SettingsGrid
from ser_stream.tuning.streams import Stream

FOLDS = 10
"""Most parts into which streams are split for the held-out figures."""
MIN_GROUPS = 4
"""With fewer groups nothing is held out: each would be too much of the whole."""
NEARLY = 0.1
"""Shortfalls of so much more than the least are taken as equal to it. Without that,
settings that miss the rule by a hair less would win, be they wrong more often."""
TUNED = (
    "uncertain",
    "enter",
    "exit",
    "memory_s",
    "lead",
    "heard_s",
)
"""Fields of `SmoothingConfig` that are chosen."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What settings must achieve before it counts how often they are right."""

    min_coverage: float = 0.7
    """Least share of labelled speech with an emotion active, 0 to 1."""
    max_flips: float = 2.0
    """Most flips a minute."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_coverage <= 1:
            raise ConfigError(
                f"least coverage is {self.min_coverage:g}; allowed: a share, 0 to 1"
            )
        if not 0 <= self.max_flips < math.inf:
            raise ConfigError(
                f"most flips a minute is {self.max_flips:g}; allowed: 0 or more"
            )

    def shortfall(self, tally: Tally) -> NDArray[np.float64]:
        """By how much settings fail: 0 where they meet the rule, (n_settings,).

        The sum of what coverage lacks, as a share of what is asked, and of the flips
        too many, as a share of what is allowed (of one, where less is allowed).
        """
        lacking = np.maximum(0.0, self.min_coverage - tally.coverage)
        too_many = np.maximum(0.0, tally.flips_per_minute - self.max_flips)
        asked = self.min_coverage or 1.0
        total: NDArray[np.float64] = lacking / asked + too_many / max(1, self.max_flips)
        return total


@dataclass(frozen=True, slots=True)
class Grid:
    """The settings that are tried: every combination. One value keeps a setting."""

    uncertain: Sequence[float] = (0.0, 0.4, 0.5)
    enter: Sequence[float] = (0.3, 0.4, 0.5, 0.6)
    below_enter: Sequence[float] = (0.1, 0.2, 1.0)
    """How far `exit` lies below `enter`; at lowest, `exit` is 0."""
    memory_s: Sequence[float] = (0.4, 0.7, 1.0, 1.4, 2.0)
    lead: Sequence[float] = (
        *(0.05, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22, 0.25, 0.3, 0.4),
    )
    heard_s: Sequence[float] = (1.0, 1.2, 1.4, 1.6)

    def settings(self, present: SmoothingConfig) -> list[SmoothingConfig]:
        """All combinations without repetition, the present settings first."""
        configs = [present]
        for values in product(*(getattr(self, name) for name in self.__slots__)):
            one = dict(zip(self.__slots__, values, strict=True))
            one["exit"] = max(0.0, round(one["enter"] - one.pop("below_enter"), 4))
            configs.append(replace(present, **one))
        return list(dict.fromkeys(configs))


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a search."""

    best: SmoothingConfig
    best_figures: Figures
    """On the streams it was chosen by, which flatters it."""
    present: SmoothingConfig
    present_figures: Figures
    held_out: Figures | None
    """Each part of the streams with settings chosen by the other parts: what the
    choice is worth on recordings that it did not see. None with few groups."""
    satisfied: bool
    """Whether the best settings meet the rule."""
    tried: int


Progress = Callable[[Sequence[Stream]], Iterable[Stream]]


def search(
    streams: Sequence[Stream],
    labels: Sequence[str],
    present: SmoothingConfig,
    rule: Rule | None = None,
    grid: Grid | None = None,
    progress: Progress = iter,
) -> Found:
    """Find the settings that suit labelled streams best.

    The whole grid is tried, 8640 settings; nothing is approximated, since
    `replay` does them all at once (some ten seconds for an hour of recordings).

    The best settings are, among those that meet the rule, the ones of the largest
    recall of time, to a whole percent (which is late is wrong, so that a delay counts
    too); among these, of least median delay, to a tenth of a second; among these, the
    nearest to the present ones.
    (Finer differences are noise in any amount of labels made by hand.) If none
    meets the rule, the same order is taken among those that fall short of it least, or
    by at most a tenth more of what is asked.

    Args:
        streams: recorded with any smoothing; their segments carry the model's labels.
        labels: of the model, in the order of its scores.
        present: the settings to compare with; `max_pause_s` and
            `update_s` are taken from them.
        rule: what must be achieved.
        grid: what is tried.
        progress: wraps the streams, as a progress bar does.

    Raises:
        ValueError: if no step with speech is labelled, or a label is not the model's.
    """
    rule = rule or Rule()
    settings = SettingsGrid((grid or Grid()).settings(present))
    groups = _groups(streams)
    n_parts = min(FOLDS, len(set(groups)))
    parts: list[list[Tally]] = [[] for _ in range(n_parts)]
    for stream, group in zip(progress(streams), groups, strict=True):
        # Summed as it comes: one tally a stream would take hundreds of megabytes.
        part = parts[group % n_parts]
        part.append(tally(stream, labels, settings))
        if len(part) >= 32:
            part[:] = [Tally.sum(part)]
    sums = [Tally.sum(part) for part in parts]
    if not any(one.speech for one in sums):
        raise ValueError("no speech is labelled, so there is nothing to choose by")
    total = Tally.sum(sums)
    far = _distance(settings, present)
    best = choose(total, rule, far)
    held_out = None
    if n_parts >= MIN_GROUPS:
        held_out = Tally.sum(
            [
                one.only(choose(Tally.sum([*sums[:i], *sums[i + 1 :]]), rule, far))
                for i, one in enumerate(sums)
            ]
        ).figures()
    return Found(
        best=settings.configs[best],
        best_figures=total.figures(best),
        present=present,
        present_figures=total.figures(0),
        held_out=held_out,
        satisfied=bool(rule.shortfall(total)[best] == 0),
        tried=len(settings),
    )


def measure(
    streams: Sequence[Stream], labels: Sequence[str], config: SmoothingConfig
) -> Figures:
    """The figures of one choice of settings on labelled streams, one or more."""
    settings = SettingsGrid([config])
    return Tally.sum([tally(stream, labels, settings) for stream in streams]).figures()


def choose(tally: Tally, rule: Rule, distance: NDArray[np.float64]) -> int:
    """Index of the best settings; `search` says in which order.

    `distance` is that from the present settings, for ties, (n_settings,).
    """
    shortfall = rule.shortfall(tally)
    least = shortfall.min()
    order = np.lexsort(
        (
            distance,
            np.round(tally.median_delay_s, 1),
            -np.round(tally.recall, 2),
            shortfall > (least + NEARLY if least else 0.0),
        )
    )
    return int(order[0])


def _groups(streams: Sequence[Stream]) -> list[int]:
    """A number for each stream; the same for those of one group."""
    numbers: dict[object, int] = {}
    keys = [s.group if s.group is not None else id(s) for s in streams]
    return [numbers.setdefault(key, len(numbers)) for key in keys]


def _distance(settings: SettingsGrid, present: SmoothingConfig) -> NDArray[np.float64]:
    """How far settings are from the present ones, each in units of its own range."""
    values = np.array([[getattr(c, n) for n in TUNED] for c in settings.configs])
    here = np.array([getattr(present, n) for n in TUNED])
    spread = np.ptp(values, axis=0)
    total: NDArray[np.float64] = (np.abs(values - here) / (spread + 1e-9)).sum(axis=1)
    return total
