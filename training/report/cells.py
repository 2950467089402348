"""Finished folds -> the cells of tables: a system on a place, at one selection."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from training.evaluation.bootstrap import SEED, Counts
from training.paper.reproduce.constants import (
    N_EMOBOX_FOLDS,
    N_PAPER_FOLDS,
    READINGS,
    SPEAKERS,
)
from training.report.load import METRICS, SELECTIONS, Run, Scored
from training.report.significance import Estimate, counts_of

PARTS = {"transductive": 1, "inductive": 2, "supervised": 1}
"""Ways to score in `cross`, and their folds: the inductive one halves the speakers."""
N_FOLDS = {
    "cross": PARTS,
    "emobox": N_EMOBOX_FOLDS,
    "loso": {corpus: len(names) for corpus, names in SPEAKERS.items()},
}
"""Folds of a corpus: as EmoBox gives them; one for each speaker."""
_KEY = ["protocol", "system", "place", "part", "selection"]


@dataclass(frozen=True, eq=False)
class Cell:
    """A number of a table: all folds of all seeds that count, at one selection."""

    protocol: str
    system: str
    place: str
    part: str
    """`""`, or in `cross` one of `PARTS`."""
    selection: str
    scores: pd.DataFrame
    """A row a fold: fold, seed, epochs, the metrics in percent, and its `Scored`."""
    n_expected: int
    """Folds that the seeds of this cell have in full."""

    @property
    def folds(self) -> list[Scored]:
        return list(self.scores["scored"])

    @property
    def complete(self) -> bool:
        return len(self.scores) >= self.n_expected

    @property
    def epochs(self) -> list[int]:
        return [int(self.scores["epochs"].min()), int(self.scores["epochs"].max())]

    @property
    def one_fit(self) -> bool:
        """Whether there were no epochs to choose from, as of an SVM."""
        return self.epochs[1] <= 1

    @cached_property
    def counts(self) -> Counts:
        return counts_of(self.folds)

    def mean(self, metric: str) -> float:
        """Over folds and seeds, percent: what the tables print."""
        return float(self.scores[metric].mean())

    def estimate(self, metric: str, seed: int = SEED) -> Estimate:
        """The mean, with the interval of UAR or WAR over the pooled clips."""
        draws, n = self.counts.draws(metric, seed), len(self.counts.speakers)
        return Estimate(self.mean(metric), draws, n, len(self.scores), self.n_expected)

    def extent(self) -> dict[str, Any]:
        return {
            "folds": len(self.scores),
            "folds_expected": self.n_expected,
            "seeds": sorted(set(self.scores["seed"].to_list())),
            "epochs": self.epochs,
        }

    def record(self) -> dict[str, Any]:
        recall = pd.DataFrame([scored.recall for scored in self.folds]).mean()
        return {
            **{key: getattr(self, key) for key in _KEY if getattr(self, key)},
            **self.extent(),
            "clips": sum(len(scored.clips) for scored in self.folds),
            "speakers": len(self.counts.speakers),
            **{metric: round(self.mean(metric), 2) for metric in METRICS},
            "pooled": {m: round(self.counts.value(m), 2) for m in ("UAR", "WAR")},
            "interval": {m: self.estimate(m).bounds for m in ("UAR", "WAR")},
            "recall": {k: round(x, 2) for k, x in recall.to_dict().items()},
        }


class Cells:
    """All that was run, by what a table asks for."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        rows = [
            {key: getattr(run, key) for key in ("protocol", "system", "place")}
            | {"part": _part(run), "selection": selection}
            | {"fold": run.fold, "seed": run.seed, "epochs": scored.epochs}
            | {"source_network": run.source_network}
            | {"scored": scored, **scored.metrics}
            for run in self.runs
            for selection, scored in run.selections.items()
        ]
        groups = pd.DataFrame(rows).groupby(_KEY, sort=False) if rows else ()
        self.every = [_cell(key, scores) for key, scores in groups]
        self._by_key = {tuple(getattr(c, k) for k in _KEY): c for c in self.every}

    def cell(
        self, protocol: str, system: str, place: str, selection: str, part: str = ""
    ) -> Cell | None:
        return self._by_key.get((protocol, system, place, part, selection))

    def by_selection(
        self, protocol: str, system: str, place: str, part: str = ""
    ) -> dict[str, Cell | None]:
        return {s: self.cell(protocol, system, place, s, part) for s in SELECTIONS}

    def select(
        self, protocol: str, system: str, place: str, part: str = ""
    ) -> list[Run]:
        """Runs of a place, by seed and fold."""
        return [
            run
            for run in self.runs
            if (run.protocol, run.system, run.place) == (protocol, system, place)
            and run.fold.startswith(part)
        ]

    def systems(self, protocol: str) -> set[str]:
        return {run.system for run in self.runs if run.protocol == protocol}

    def reading(self, place: str) -> str:
        """The reading of CPAC that figures of a corpus show: that of most folds."""
        return max(READINGS, key=lambda s: len(self.select("paper-10fold", s, place)))


def _cell(key: tuple[str, ...], scores: pd.DataFrame) -> Cell:
    """A seed half run counts only where no other is whole."""
    protocol, system, place, part, selection = key
    n_folds = n_expected(protocol, place, part)
    whole = scores[scores.groupby("seed")["fold"].transform("size") >= n_folds]
    kept = scores if whole.empty else whole
    return Cell(
        protocol, system, place, part, selection, kept, n_folds * kept["seed"].nunique()
    )


def n_expected(protocol: str, place: str, part: str = "") -> int:
    """Folds of one seed; 1 for a corpus that is none of the four."""
    if protocol == "paper-10fold":
        return N_PAPER_FOLDS
    return N_FOLDS[protocol].get(part or place, 1)


def _part(run: Run) -> str:
    parts = PARTS if run.protocol == "cross" else ()
    return next((part for part in parts if run.fold.startswith(part)), "")
