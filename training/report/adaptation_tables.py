"""What adaptation brings: gain over Algorithm 4, means of pairs, distances."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pandas as pd

from training.paper.reproduce.tables import BLIND as BLIND_SYSTEMS
from training.paper.reproduce.tables import RAVDESS_PAIRS, SIX_PAIRS
from training.report.cells import Cells
from training.report.load import SELECTIONS
from training.report.paired import paired
from training.report.significance import Estimate, mean_estimate

CAAM = "caam"
ADAPTED = (CAAM, "dann", "cdan", "nmftsl")
BASE = "algorithm-4"
BOTH = "algorithm-4-both-statistics"
"""Not adapted, but batch norm has heard the target: what is gained over it is a
method's own."""
YARDSTICK = "compare-svm"
"""Not adapted, and no network."""
BLIND, BLIND_CAAM = BLIND_SYSTEMS
"""Not adapted, and without the target's mean and deviation; CAAM without them."""
PARTS = ("transductive", "inductive")
PAIRS = ("casia-emodb", "emodb-casia")
"""The two pairs that were run first."""
MEANS = {
    "mean of CASIA to EMODB and back": PAIRS,
    "mean of the six pairs of Table 2": SIX_PAIRS,
    "mean of the six pairs of Table S3": RAVDESS_PAIRS,
}
"""Each name stands where a place does."""
MUTUAL, SIX, RAVDESS = MEANS
_SEEDS = {"emodb": 0, "casia": 1, "savee": 2, "ravdess": 3}
"""Of the draws, by target: pairs with one target draw the same speakers together."""
PAPER_DISTANCES = {
    ("casia-emodb", "mean"): (2286.44, 19.87),
    ("emodb-casia", "mean"): (2286.44, 20.53),
}
"""Of the classes' means, of raw MFCC and after CAAM (caption of Fig. S4)."""
Gains = dict[tuple[str, str, str], dict[str, Estimate]]
"""By place or name of a mean, system and part; by the selections that were run."""


def all_gains(cells: Cells, places: Sequence[str], over: str = BASE) -> Gains:
    """UAR of each method less that of another, where both were run.

    `over` is `BASE`, `BOTH`, `BLIND` or `CAAM`; what others of these gain is among the
    first and the last. What has one fit is compared with each selection of CAAM.
    """
    methods = _methods(over)
    gains: Gains = {}
    for place, system, part in product(places, methods, PARTS):
        ours, base = (
            cells.by_selection("cross", s, place, part) for s in (system, over)
        )
        seed = _seed(place)
        if over == CAAM and (fit := ours["last"]) and fit.one_fit:
            ours = dict.fromkeys(SELECTIONS, fit)
        found = {s: paired(ours[s], base[s], "UAR", seed) for s in SELECTIONS}
        gains[place, system, part] = {s: one for s, one in found.items() if one}
    for (name, pairs), system, part in product(MEANS.items(), methods, PARTS):
        every = [gains.get((place, system, part), {}) for place in pairs]
        means = {s: mean_estimate([of.get(s) for of in every]) for s in SELECTIONS}
        gains[name, system, part] = {s: one for s, one in means.items() if one}
    return gains


def _seed(place: str) -> int:
    return _SEEDS.get(place.partition("-")[2], len(_SEEDS))


def _methods(over: str) -> tuple[str, ...]:
    others = {BASE: (BOTH,), BLIND: (BLIND_CAAM, BASE), CAAM: (YARDSTICK,)}
    return tuple(s for s in (*ADAPTED, *others.get(over, ())) if s != over)


def mean_uar(
    cells: Cells, system: str, selection: str, name: str = MUTUAL
) -> Estimate | None:
    """Transductive UAR itself, mean over the pairs of one of `MEANS`."""
    return mean_estimate(
        [
            cell.estimate("UAR", seed=_seed(p))
            if (cell := cells.cell("cross", system, p, selection, "transductive"))
            else None
            for p in MEANS[name]
        ]
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
            "one_source_network": found.one_start,
        }
        for (place, system, part), of in gains.items()
        for selection, found in of.items()
    ]


def mean_records(cells: Cells) -> list[dict[str, Any]]:
    return [
        {
            "places": list(MEANS[name]),
            "system": system,
            "selection": selection,
            "part": "transductive",
            "metric": "UAR",
            "mean": round(found.points, 2),
            "interval": found.bounds,
        }
        for name, system, selection in product(
            MEANS, (BASE, BOTH, *BLIND_SYSTEMS, *ADAPTED), SELECTIONS
        )
        if (found := mean_uar(cells, system, selection, name)) is not None
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
