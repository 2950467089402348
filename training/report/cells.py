"""Finished folds -> the cells of tables: a system on a place, at one selection."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from training.evaluation.bootstrap import Interval
from training.paper.reproduce.constants import (
    N_EMOBOX_FOLDS,
    N_PAPER_FOLDS,
    READINGS,
    SPEAKERS,
)
from training.report.load import METRICS, Run, Scored
from training.report.significance import counts_of, interval

N_FOLDS = {
    "emobox": N_EMOBOX_FOLDS,
    "loso": {corpus: len(names) for corpus, names in SPEAKERS.items()},
}
"""Folds of a corpus: as EmoBox gives them; one for each speaker."""
PARTS = {"transductive": 1, "inductive": 2, "supervised": 1}
"""Ways to score in `cross`, and their folds: the inductive one halves the speakers."""


@dataclass(frozen=True)
class Cell:
    """A number of a table: all folds of all seeds that count, at one selection."""

    protocol: str
    system: str
    place: str
    part: str
    """`""`, or in `cross` one of `PARTS`."""
    selection: str
    scored: tuple[tuple[str, int, Scored], ...]
    """Fold, seed and what it scored."""
    n_expected: int
    """Folds that the seeds of this cell have in full."""

    @cached_property
    def folds(self) -> list[Scored]:
        """What is pooled."""
        return [s for _, _, s in self.scored]

    @property
    def complete(self) -> bool:
        """Whether every fold of its seeds is there."""
        return len(self.scored) >= self.n_expected

    @property
    def seeds(self) -> list[int]:
        """In order."""
        return sorted({seed for _, seed, _ in self.scored})

    @property
    def epochs(self) -> tuple[int, int]:
        """Least and most epochs that a fold was trained for."""
        epochs = [s.epochs for s in self.folds]
        return min(epochs), max(epochs)

    def mean(self, metric: str) -> float:
        """Over folds and seeds, percent: what the tables print."""
        return float(np.mean([s.metrics[metric] for s in self.folds]))

    @cached_property
    def intervals(self) -> dict[str, Interval | None]:
        """Of UAR and WAR over the pooled clips."""
        return {metric: interval(self.folds, metric) for metric in ("UAR", "WAR")}

    def record(self) -> dict[str, Any]:
        """For `results.json`."""
        counts = counts_of(self.folds)
        return {
            "protocol": self.protocol,
            "system": self.system,
            "place": self.place,
            **({"part": self.part} if self.part else {}),
            "selection": self.selection,
            "folds": len(self.scored),
            "folds_expected": self.n_expected,
            "seeds": self.seeds,
            "epochs": list(self.epochs),
            "clips": sum(len(s.clips) for s in self.folds),
            "speakers": len(counts.speakers),
            **{metric: round(self.mean(metric), 2) for metric in METRICS},
            "pooled": {m: round(counts.value(m), 2) for m in ("UAR", "WAR")},
            "interval": {
                metric: [round(found.low, 2), round(found.high, 2)] if found else None
                for metric, found in self.intervals.items()
            },
            "recall": _mean_recall(self.folds),
        }


class Cells:
    """All that was run, by what a table asks for."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        self._made: dict[tuple[str, str, str, str, str], Cell | None] = {}

    def cell(
        self, protocol: str, system: str, place: str, selection: str, part: str = ""
    ) -> Cell | None:
        """None where nothing was run.

        Seeds of which every fold is there count; a seed half run counts only where no
        other is whole.
        """
        key = (protocol, system, place, selection, part)
        if key not in self._made:
            self._made[key] = self._make(*key)
        return self._made[key]

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

    def systems(self, protocol: str) -> list[str]:
        """All of a protocol, in order of name."""
        return sorted({run.system for run in self.runs if run.protocol == protocol})

    def places(self, protocol: str) -> list[str]:
        """All of a protocol, in order of name."""
        return sorted({run.place for run in self.runs if run.protocol == protocol})

    def reading(self, place: str) -> str:
        """The reading of CPAC that figures of a corpus show: that of most folds."""
        return max(READINGS, key=lambda s: len(self.select("paper-10fold", s, place)))

    def every(self) -> list[Cell]:
        """Every cell there is, whether or not a table has it."""
        keys = dict.fromkeys(
            (run.protocol, run.system, run.place, selection, _part(run))
            for run in self.runs
            for selection in run.selections
        )
        return [cell for key in keys if (cell := self.cell(*key)) is not None]

    def _make(
        self, protocol: str, system: str, place: str, selection: str, part: str
    ) -> Cell | None:
        by_seed: dict[int, list[tuple[str, int, Scored]]] = {}
        for run in self.select(protocol, system, place, part):
            if selection in run.selections:
                row = (run.fold, run.seed, run.selections[selection])
                by_seed.setdefault(run.seed, []).append(row)
        if not by_seed:
            return None
        n_folds = n_expected(protocol, place, part)
        whole = [rows for rows in by_seed.values() if len(rows) >= n_folds]
        kept = whole or list(by_seed.values())
        return Cell(
            protocol,
            system,
            place,
            part,
            selection,
            tuple(row for rows in kept for row in rows),
            n_folds * len(kept),
        )


def n_expected(protocol: str, place: str, part: str = "") -> int:
    """Folds of one seed; 1 for a corpus that is none of the four."""
    if protocol == "cross":
        return PARTS.get(part, 1)
    if protocol == "paper-10fold":
        return N_PAPER_FOLDS
    return N_FOLDS[protocol].get(place, 1)


def _part(run: Run) -> str:
    return next(
        (p for p in PARTS if run.protocol == "cross" and run.fold.startswith(p)), ""
    )


def _mean_recall(folds: Sequence[Scored]) -> dict[str, float]:
    labels = dict.fromkeys(label for s in folds for label in s.recall)
    return {
        label: round(
            float(np.mean([s.recall[label] for s in folds if label in s.recall])), 2
        )
        for label in labels
    }
