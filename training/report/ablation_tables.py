"""CPAC beside what differs in a part: ablations, and choices of the paper."""

from itertools import product
from typing import Any

from training.paper.reproduce.constants import CUT_ENDS
from training.paper.reproduce.tables import (
    ABLATIONS,
    BY_TEXT,
    CPAC,
    CPAC_BY_TEXT,
    NEEDED_AT,
    TABLES,
)
from training.protocols.names import CORPORA
from training.report.cells import Cells
from training.report.load import SELECTIONS
from training.report.paired import paired
from training.report.significance import Estimate

Differences = dict[tuple[str, str], dict[str, Estimate]]
"""By place and system; by the selections that both were run with."""


def above_ablations(cells: Cells) -> Differences:
    """WAR of CPAC less that of each ablation of Table 3, both on the same features."""
    found = {
        (place, system): _differences(cells, place, CPAC, system)
        for place, system in product(CORPORA, ABLATIONS)
    }
    by_text = {
        (place, system): _differences(cells, place, CPAC_BY_TEXT, system)
        for place, system in product(CORPORA, BY_TEXT)
    }
    # Needed at one corpus alone.
    return found | {key: of for key, of in by_text.items() if of}


def by_choices(cells: Cells) -> Differences:
    """WAR with choices of the paper less that with ours; of cut clips less of whole."""
    wanted = [(place, CPAC) for place in CORPORA]
    wanted += [(row.place, row.system) for row in TABLES["why"]]
    found = {
        (place, system): _differences(
            cells, place, system, CPAC if system == CUT_ENDS else CPAC_BY_TEXT
        )
        for place, system in wanted
    }
    # Where there is nothing to compare with, nothing is missing.
    return {
        key: of
        for key, of in found.items()
        if of or key[0] in NEEDED_AT[CPAC_BY_TEXT] or key[1] != CPAC
    }


def _differences(
    cells: Cells, place: str, better: str, base: str
) -> dict[str, Estimate]:
    ours, theirs = (
        cells.by_selection("paper-10fold", system, place) for system in (better, base)
    )
    found = {s: paired(ours[s], theirs[s], "WAR") for s in SELECTIONS}
    return {s: one for s, one in found.items() if one is not None}


def records(differences: Differences) -> list[dict[str, Any]]:
    """For `results.json`."""
    return [
        {
            "place": place,
            "system": system,
            "selection": selection,
            "metric": "WAR",
            "folds": found.n_folds,
            "points": round(found.points, 2),
            "interval": found.bounds,
        }
        for (place, system), of in differences.items()
        for selection, found in of.items()
    ]
