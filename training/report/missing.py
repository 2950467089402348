"""What the paper's tables still lack, and how long it would take here.

An estimate: of trainings that were run, each as it was timed on whatever else the
machine did.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from training.corpora.known import PAPER
from training.paper.reproduce.constants import (
    CUT_ENDS,
    PUBLISHED_FEATURES,
    READINGS,
    THROUGHOUT,
    TRAINED_AS_PUBLISHED,
    VARIANTS,
)
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.systems import n_epochs
from training.paper.reproduce.tables import (
    ABLATIONS,
    AS_WRITTEN,
    BLIND,
    BY_TEXT,
    CPAC,
    CPAC_BY_TEXT,
    NOT_ADAPTED,
    PUBLISHED_CROSS,
    SEED,
    TABLES,
)
from training.report.load import Run
from training.report.tables import PAPER_TABLES

LIKE = {
    **dict.fromkeys((CPAC, AS_WRITTEN, *BY_TEXT, *VARIANTS), CPAC_BY_TEXT),
    **{system + PUBLISHED_FEATURES: system for system in BY_TEXT},
    CUT_ENDS: CPAC,
    THROUGHOUT: TRAINED_AS_PUBLISHED,
    **dict.fromkeys(("light-cnn", "cnn-3d"), "cnn"),
    **dict.fromkeys(
        ("dann", "cdan", *NOT_ADAPTED[1:], *BLIND, *PUBLISHED_CROSS), "caam"
    ),
}
"""What a system costs about as much as, for one that was not run at all."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The trainings of one system that a table lacks."""

    table: str
    system: str
    places: dict[str, int]
    """How many at each corpus or pair."""
    n_wanted: int
    hours: float | None
    """None if nothing was run to go by."""

    @property
    def n(self) -> int:
        return sum(self.places.values())


def missing_trainings(runs: Sequence[Run]) -> list[Missing]:
    """By table and system; what two tables share is listed with the first."""
    done = {name for run in runs for name in run.took}
    guess = _Guess(runs)
    listed: set[str] = set()
    found = []
    for table in (*(spec.name for spec in PAPER_TABLES), "why"):
        by_system: dict[str, list[PaperExperiment]] = defaultdict(list)
        for row in TABLES[table]:
            by_system[row.system] += [
                one for one in row.needed(SEED) if one.name not in listed
            ]
        for system, wanted in by_system.items():
            listed |= {one.name for one in wanted}
            absent = [one for one in wanted if one.name not in done]
            if not absent:
                continue
            places: dict[str, int] = defaultdict(int)
            for one in absent:
                places[one.place] += 1
            seconds = [guess(one) for one in absent]
            known = [s for s in seconds if s is not None]
            hours = sum(known) / 3600 if len(known) == len(seconds) else None
            found.append(Missing(table, system, dict(places), len(wanted), hours))
    return found


class _Guess:
    """Seconds of a training: as of the same system here, or elsewhere; by `_size`.

    Where the system was not run at all, as of the one that it is `LIKE`.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._seconds: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for run in runs:
            for seconds in run.took.values():
                for key in _keys(run.protocol, run.system, run.place):
                    self._seconds[key].append(seconds / _size(run))

    def __call__(self, one: PaperExperiment) -> float | None:
        system: str | None = one.system
        while system:
            for key in _keys(one.protocol, system, one.place):
                if key in self._seconds:
                    return fmean(self._seconds[key]) * _size(one)
            system = LIKE.get(system)
        return None


def _keys(protocol: str, system: str, place: str) -> Iterator[tuple[str, ...]]:
    """At the same place; at any."""
    yield protocol, system, place
    yield protocol, system


def _size(of: Run | PaperExperiment) -> int:
    """Clips, times epochs where the corpora differ in them.

    1 of a pair of corpora, for which steps are counted and not clips.
    """
    corpus = PAPER.get(of.place)
    if not corpus:
        return 1
    varies = of.protocol == "paper-10fold" and of.system in (
        *READINGS,
        *ABLATIONS,
        *BY_TEXT,
        *VARIANTS,
        CUT_ENDS,
    )
    return corpus.counts.clips * (n_epochs(of.system, of.place) if varies else 1)
