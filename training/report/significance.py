"""95 % intervals of one system, or of a difference of two, over the clips of cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.bootstrap import (
    SEED,
    Counts,
    Draws,
    Interval,
    of_draws,
    rounded,
)
from training.report.load import Scored


def counts_of(scored: Sequence[Scored]) -> Counts:
    return Counts.of(
        [c for s in scored for c in s.truth],
        [c for s in scored for c in s.predicted],
        [name for s in scored for name in s.speakers],
        len(scored[0].labels),
    )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric, or a difference of two, and what it is in each bootstrap draw."""

    points: float
    draws: Draws
    n_speakers: int
    n_folds: int
    n_expected: int
    one_start: bool = True
    """Of a difference of networks that adapt: whether both are known to have begun from
    one source network, so that none of it is of training that twice."""

    @property
    def interval(self) -> Interval | None:
        """Of the difference, where it is one: paired, the same speakers drawn."""
        return of_draws(self.draws, self.n_speakers)

    @property
    def bounds(self) -> list[float] | None:
        return rounded(self.interval)


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
    ours, theirs = counts_of(better), counts_of(base)
    return Estimate(
        ours.value(metric) - theirs.value(metric),
        ours.draws(metric, seed) - theirs.draws(metric, seed),
        len(ours.speakers),
        len(better),
        n_expected,
    )


def mean_estimate(found: Sequence[Estimate | None]) -> Estimate | None:
    """Over several pairs of corpora; None unless there is one of each.

    Each must have been drawn with a seed of its own: their speakers are others.
    """
    known = [estimate for estimate in found if estimate is not None]
    if len(known) < len(found):
        return None
    return Estimate(
        float(np.mean([e.points for e in known])),
        np.mean([e.draws for e in known], 0),
        min(e.n_speakers for e in known),
        sum(e.n_folds for e in known),
        sum(e.n_expected for e in known),
        all(e.one_start for e in known),
    )
