"""What adaptation brings: gain over Algorithm 4, means of pairs, distances."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pandas as pd

from ser_stream.errors import SourceError
from training.report.cells import Cell, Cells, n_expected
from training.report.load import SELECTIONS
from training.report.significance import Estimate, gain, mean_estimate

ADAPTED = ("caam", "dann", "cdan", "nmftsl")
BASE = "algorithm-4"
BOTH = "algorithm-4-both-statistics"
"""Not adapted, but batch norm has heard the target: what is gained over it is a
method's own."""
PARTS = ("transductive", "inductive")
PAIRS = ("casia-emodb", "emodb-casia")
"""The two pairs that were run first, and of which a mean is given."""
MUTUAL = "+".join(PAIRS)
"""Stands where a place does: the mean of both."""
PAPER_DISTANCES = {
    ("casia-emodb", "mean"): (2286.44, 19.87),
    ("emodb-casia", "mean"): (2286.44, 20.53),
}
"""Of the classes' means, of raw MFCC and after CAAM (caption of Fig. S4)."""
Gains = dict[tuple[str, str, str], dict[str, Estimate]]
"""By place or `MUTUAL`, system and part; by the selections that were run."""


def all_gains(cells: Cells, places: Sequence[str], over: str = BASE) -> Gains:
    """UAR of each method less that of Algorithm 4, where both were run.

    `over` is `BASE` or `BOTH`; what `BOTH` gains over `BASE` is among the first.
    """
    methods = _methods(over)
    gains: Gains = {}
    for (i, place), system, part in product(enumerate(places), methods, PARTS):
        ours, base = (
            cells.by_selection("cross", s, place, part) for s in (system, over)
        )
        # Other speakers in each pair, so other draws.
        found = {s: _gain(ours[s], base[s], seed=i) for s in SELECTIONS}
        gains[place, system, part] = {s: one for s, one in found.items() if one}
    for system, part in product(methods, PARTS):
        both = [gains.get((place, system, part), {}) for place in PAIRS]
        means = {s: mean_estimate([of.get(s) for of in both]) for s in SELECTIONS}
        gains[MUTUAL, system, part] = {s: one for s, one in means.items() if one}
    return gains


def _methods(over: str) -> tuple[str, ...]:
    return (*ADAPTED, BOTH) if over == BASE else ADAPTED


def _gain(better: Cell | None, base: Cell | None, seed: int) -> Estimate | None:
    if better is None or base is None:
        return None
    both = better.scores.merge(base.scores, on=["fold", "seed"])
    if both.empty:
        return None
    n_folds = n_expected("cross", better.place, better.part)
    try:
        return gain(
            both["scored_x"].to_list(),
            both["scored_y"].to_list(),
            "UAR",
            n_expected=both["seed"].nunique() * n_folds,
            seed=seed,
        )
    except ValueError as error:
        raise SourceError(
            f"results of {better.system} and {base.system} on {better.place}, "
            f"{better.part}: {error}; delete the older ones and run them again"
        ) from error


def mutual_mean(cells: Cells, system: str, selection: str) -> Estimate | None:
    """Transductive UAR itself, mean over CASIA to EMODB and back."""
    both = [cells.cell("cross", system, p, selection, "transductive") for p in PAIRS]
    return mean_estimate(
        [cell.estimate("UAR", seed=i) if cell else None for i, cell in enumerate(both)]
    )


def gain_records(gains: Gains, over: str = BASE) -> list[dict[str, Any]]:
    return [
        {
            "place": place,
            "system": system,
            "over": over,
            "part": part,
            "selection": selection,
            "metric": "UAR",
            "folds": found.n_folds,
            "folds_expected": found.n_expected,
            "points": round(found.points, 2),
            "interval": found.bounds,
        }
        for (place, system, part), of in gains.items()
        for selection, found in of.items()
    ]


def mean_records(cells: Cells) -> list[dict[str, Any]]:
    return [
        {
            "places": list(PAIRS),
            "system": system,
            "selection": selection,
            "part": "transductive",
            "metric": "UAR",
            "mean": round(found.points, 2),
            "interval": found.bounds,
        }
        for system, selection in product((BASE, BOTH, *ADAPTED), SELECTIONS)
        if (found := mutual_mean(cells, system, selection)) is not None
    ]


def distances(cells: Cells, places: Sequence[str]) -> dict[str, Any]:
    """Between same-class means of two corpora by place, mean over seeds."""
    records = {}
    for place in places:
        runs = cells.select("cross", "caam", place, "transductive")
        if found := [run.distances for run in runs if run.distances]:
            means = {
                when: pd.DataFrame([d[when] for d in found]).dropna(axis=1).mean()
                for when in ("before", "after")
            }
            records[place] = {
                when: {label: round(x, 2) for label, x in of.to_dict().items()}
                for when, of in means.items()
            }
    return records
