"""95 % intervals by a bootstrap over speakers, of one system or of a difference.

`training.metrics.uar_interval` draws clips; here the same draws are made from right and
total counts per speaker and class, which is some hundred times faster: a cell pools
thousands of clips, and a page has hundreds of cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.metrics import N_BOOTSTRAP
from training.results_page.load import Scored

FEW_SPEAKERS = 5
"""Below it an interval over speakers is crude: too few to draw from."""
SEED = 0

Draws = NDArray[np.float64]
"""A metric, percent, of each bootstrap draw: (`N_BOOTSTRAP`,); NaN: a class missing."""


@dataclass(frozen=True, slots=True)
class Interval:
    """95 %, percent or percentage points."""

    low: float
    high: float
    n_speakers: int

    @property
    def crude(self) -> bool:
        """Whether it rests on fewer speakers than an interval should."""
        return self.n_speakers < FEW_SPEAKERS


@dataclass(frozen=True, slots=True)
class Counts:
    """Clips of a cell by speaker and true class: two (n_speakers, n_classes) arrays."""

    speakers: tuple[str, ...]
    right: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def of(cls, scored: Sequence[Scored]) -> "Counts":
        """Of all clips of some folds and seeds together."""
        speakers = tuple(sorted({name for s in scored for name in s.speakers}))
        row = {name: i for i, name in enumerate(speakers)}
        right = np.zeros((len(speakers), len(scored[0].labels)))
        total = np.zeros_like(right)
        for s in scored:
            rows, truth = [row[name] for name in s.speakers], np.array(s.truth)
            for counts, weight in ((total, 1), (right, np.array(s.predicted) == truth)):
                np.add.at(counts, (rows, truth), weight)  # type: ignore[arg-type]
        # A class without a clip has no recall, in no draw.
        seen = total.any(0)
        return cls(speakers, right[:, seen], total[:, seen])

    def draws(self, metric: str, seed: int = SEED) -> Draws:
        """`UAR` or `WAR` of draws of as many speakers, with replacement."""
        times = _times_drawn(len(self.speakers), seed)
        return self._metric(metric, times @ self.right, times @ self.total)

    def value(self, metric: str) -> float:
        """`UAR` or `WAR` of all clips, percent."""
        return float(self._metric(metric, self.right.sum(0), self.total.sum(0)))

    @staticmethod
    def _metric(metric: str, right: Draws, total: Draws) -> Draws:
        if metric == "WAR":
            return np.asarray(100 * right.sum(-1) / total.sum(-1))
        recall = np.full(right.shape, np.nan)
        np.divide(right, total, out=recall, where=total > 0)
        return np.asarray(100 * recall.mean(-1))


@cache
def _times_drawn(n: int, seed: int) -> NDArray[np.float64]:
    """How often each of `n` speakers is in each draw: (`N_BOOTSTRAP`, n)."""
    drawn = np.random.default_rng(seed).integers(n, size=(N_BOOTSTRAP, n))
    return np.stack([np.bincount(row, minlength=n) for row in drawn]).astype(float)


def interval(scored: Sequence[Scored], metric: str) -> Interval | None:
    """Of `UAR` or `WAR` over the clips of some folds; None with a single speaker."""
    counts = Counts.of(scored)
    return of_draws(counts.draws(metric), len(counts.speakers))


def of_draws(draws: Draws, n_speakers: int) -> Interval | None:
    """The middle 95 % of the draws in which every class occurs."""
    if n_speakers < 2 or np.isnan(draws).all():
        return None
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Interval(float(low), float(high), n_speakers)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric, or a difference of two, and what it is in each bootstrap draw."""

    points: float
    draws: Draws
    n_speakers: int
    n_folds: int
    n_expected: int

    @property
    def interval(self) -> Interval | None:
        """Of the difference, where it is one: paired, the same speakers drawn."""
        return of_draws(self.draws, self.n_speakers)


def gain(
    better: Sequence[Scored],
    base: Sequence[Scored],
    metric: str,
    *,
    n_expected: int,
    seed: int = SEED,
) -> Estimate:
    """Paired difference `better` - `base` over clips of the same folds and seeds.

    Raises:
        ValueError: they were not scored on the same clips.
    """
    clips = [sorted(c for s in scored for c in s.clips) for scored in (better, base)]
    if clips[0] != clips[1]:
        raise ValueError("the two systems were not scored on the same clips")
    ours, theirs = Counts.of(better), Counts.of(base)
    return Estimate(
        ours.value(metric) - theirs.value(metric),
        ours.draws(metric, seed) - theirs.draws(metric, seed),
        len(ours.speakers),
        len(better),
        n_expected,
    )


def mean_estimate(found: Sequence[Estimate]) -> Estimate:
    """Over several pairs of corpora.

    Each must have been drawn with a seed of its own: their speakers are others.
    """
    return Estimate(
        float(np.mean([g.points for g in found])),
        np.mean([g.draws for g in found], 0),
        min(g.n_speakers for g in found),
        sum(g.n_folds for g in found),
        sum(g.n_expected for g in found),
    )
