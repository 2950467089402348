"""95 % intervals of UAR and WAR, by a bootstrap over speakers as clusters.

Clips of one speaker resemble each other, so whole speakers are drawn. The draws are
made from right and total counts per speaker and class, which is some hundred times
faster than from clips.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

N_BOOTSTRAP = 2000
SEED = 0
FEW_SPEAKERS = 5
"""Below it an interval over speakers is crude: too few to draw from."""

T = TypeVar("T")
N_OF_STATISTIC = 1000
"""Draws where a statistic is computed from the rows of each."""

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
        return self.n_speakers < FEW_SPEAKERS


@dataclass(frozen=True, slots=True)
class Counts:
    """Clips by speaker and true class: two (n_speakers, n_classes) arrays."""

    speakers: tuple[str, ...]
    right: NDArray[np.float64]
    total: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        truth: Sequence[int],
        predicted: Sequence[int],
        speakers: Sequence[str],
        n_classes: int,
    ) -> "Counts":
        """Of clips, three sequences of one length.

        A class without a clip is left out: it has no recall, in no draw.
        """
        names = tuple(sorted(set(speakers)))
        row = {name: i for i, name in enumerate(names)}
        rows = np.array([row[name] for name in speakers], np.int64)
        classes = np.array(truth, np.int64)
        right = np.zeros((len(names), n_classes))
        total = np.zeros_like(right)
        np.add.at(total, (rows, classes), 1.0)
        np.add.at(
            right, (rows, classes), (np.array(predicted) == classes).astype(float)
        )
        seen = total.any(0)
        return cls(names, right[:, seen], total[:, seen])

    def draws(self, metric: str, seed: int = SEED) -> Draws:
        """`UAR` or `WAR` of draws of as many speakers, with replacement."""
        times = _times_drawn(len(self.speakers), seed)
        return self._metric(metric, times @ self.right, times @ self.total)

    def value(self, metric: str) -> float:
        """`UAR` or `WAR` of all clips, percent."""
        return float(self._metric(metric, self.right.sum(0), self.total.sum(0)))

    def interval(self, metric: str) -> Interval | None:
        """Of `UAR` or `WAR`; None with a single speaker."""
        return of_draws(self.draws(metric), len(self.speakers))

    def bounds(self, draws: Draws) -> list[float] | None:
        """The 95 % interval of draws, to one decimal, for JSON."""
        return rounded(of_draws(draws, len(self.speakers)), 1)

    def described(self) -> dict[str, Any]:
        """UAR and WAR with their intervals, to one decimal, for JSON."""
        found: dict[str, Any] = {}
        for metric in ("UAR", "WAR"):
            found[metric] = round(self.value(metric), 1)
            found[f"{metric}_interval"] = self.bounds(self.draws(metric))
        return found

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
    drawn = _drawn(n, N_BOOTSTRAP, seed)
    return np.stack([np.bincount(row, minlength=n) for row in drawn]).astype(float)


def _drawn(n: int, n_draws: int, seed: int) -> NDArray[np.int64]:
    """Which of `n` speakers, with replacement: (n_draws, n)."""
    return np.random.default_rng(seed).integers(n, size=(n_draws, n))


def of_draws(draws: Draws, n_speakers: int) -> Interval | None:
    """The middle 95 % of the draws in which every class occurs."""
    if n_speakers < 2 or np.isnan(draws).all():
        return None
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Interval(float(low), float(high), n_speakers)


def rounded(found: Interval | None, digits: int = 2) -> list[float] | None:
    return [round(x, digits) for x in (found.low, found.high)] if found else None


def percent(row: Mapping[str, Any], metric: str = "UAR") -> str:
    """`71.9 (63.5 to 79.2)`; a dagger where few speakers make the interval crude."""
    bounds = row.get(f"{metric}_interval")
    if bounds is None:
        return f"{row[metric]:.1f}"
    crude = "†" if row.get("n_speakers", FEW_SPEAKERS) < FEW_SPEAKERS else ""
    return f"{row[metric]:.1f} ({bounds[0]:.1f} to {bounds[1]:.1f}){crude}"


def over_speakers(
    rows: Sequence[T],
    speakers: Sequence[str],
    statistic: Callable[[Sequence[T]], float],
) -> list[float | None]:
    """95 % interval of a statistic of rows: bootstrap over speakers as clusters.

    The statistic may be infinite, or not a number.

    Returns:
        Low and high; None where it is infinite, or where there is one speaker alone.
    """
    clusters: dict[str, list[T]] = {}
    for row, speaker in zip(rows, speakers, strict=True):
        clusters.setdefault(speaker, []).append(row)
    groups = [clusters[speaker] for speaker in sorted(clusters)]
    if len(groups) < 2:
        return [None, None]
    values = [
        statistic([row for i in drawn for row in groups[i]])
        for drawn in _drawn(len(groups), N_OF_STATISTIC, SEED)
    ]
    kept = np.sort([value for value in values if not np.isnan(value)])
    if not len(kept):
        return [None, None]
    # Order statistics: between a number and infinity there is nothing to interpolate.
    low, high = (kept[round(q * (len(kept) - 1))] for q in (0.025, 0.975))
    return [finite(low, 3), finite(high, 3)]


def finite(value: float, digits: int) -> float | None:
    """Rounded for JSON, which knows no infinity: None stands for it."""
    return round(float(value), digits) if np.isfinite(value) else None
