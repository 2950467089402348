"""95 % intervals of what is no recall: any statistic over speakers, and counts."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from scipy.stats import chi2

T = TypeVar("T")
N_BOOTSTRAP = 1000


def over_speakers(
    rows: Sequence[T],
    speakers: Sequence[str],
    statistic: Callable[[Sequence[T]], float],
    seed: int = 0,
) -> list[float | None]:
    """95 % interval of a statistic: bootstrap over speakers as clusters.

    Args:
        rows: what the statistic is computed from.
        speakers: whose each row is.
        statistic: rows -> a number, maybe infinite or not a number.
        seed: of the draws.

    Returns:
        Low and high; None where it is infinite, or where there is one speaker alone.
    """
    clusters: dict[str, list[T]] = {}
    for row, speaker in zip(rows, speakers, strict=True):
        clusters.setdefault(speaker, []).append(row)
    groups = [clusters[speaker] for speaker in sorted(clusters)]
    if len(groups) < 2:
        return [None, None]
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(N_BOOTSTRAP):
        drawn = rng.integers(len(groups), size=len(groups))
        values.append(statistic([row for i in drawn for row in groups[i]]))
    kept = np.sort([value for value in values if not np.isnan(value)])
    if not len(kept):
        return [None, None]
    # Order statistics: between a number and infinity there is nothing to interpolate.
    low, high = (kept[round(q * (len(kept) - 1))] for q in (0.025, 0.975))
    return [finite(low, 3), finite(high, 3)]


def finite(value: float, digits: int) -> float | None:
    """Rounded for JSON, which knows no infinity: None stands for it."""
    return round(float(value), digits) if np.isfinite(value) else None


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a Poisson mean (Garwood, Biometrika 1936)."""
    tail = (1.0 - level) / 2.0
    low = float(chi2.ppf(tail, 2 * count)) / 2.0 if count else 0.0
    return low, float(chi2.ppf(1.0 - tail, 2 * (count + 1))) / 2.0


def poisson_upper(count: int, level: float = 0.95) -> float:
    """Exact one-sided upper bound of a Poisson mean: 3.0 where nothing was counted."""
    return float(chi2.ppf(level, 2 * (count + 1))) / 2.0
