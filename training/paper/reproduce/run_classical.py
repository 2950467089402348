"""A cell of openSMILE with an SVM, or of NMFTSL -> its result."""

from typing import Any

import numpy as np

from training.baselines.folds import (
    COSTS,
    DISCRIMINATION,
    TRANSFER,
    run_compare_svm,
    run_nmftsl,
)
from training.baselines.svm import GRID
from training.paper.reproduce.cells import Cell
from training.paper.reproduce.progress import Tell
from training.paper.reproduce.result_file import scores
from training.paper.reproduce.workspace import Workspace

NMFTSL_FEATURES = "egemaps"


def classical_config(cell: Cell) -> dict[str, Any]:
    """What decides the result; what a run chose by itself is its `chosen`."""
    if cell.system.startswith("nmftsl"):
        return {
            "features": NMFTSL_FEATURES,
            "transfer": list(TRANSFER),
            "discrimination": list(DISCRIMINATION),
            "C": list(COSTS),
        }
    return {
        "features": cell.system.removesuffix("-svm"),
        "classifier": "linear SVM, balanced",
        "C": list(GRID),
        # Across corpora, each is standardised by itself, as the networks' input is.
        "own_scale": cell.protocol == "cross",
    }


def run_classical(
    cell: Cell, space: Workspace, tell: Tell
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Fit on a fold, with all that is chosen chosen inside its training part.

    Returns:
        The cell's own part of its result; no arrays.
    """
    place, fold = space.place(cell), space.fold(cell)
    cache = space.runs / "functionals"
    config = classical_config(cell)
    if cell.system == "nmftsl":
        made = run_nmftsl(
            place.utterances, fold, place.labels, cache, cell.seed, NMFTSL_FEATURES
        )
        chosen = {k: v for k, v in made["config"].items() if k != "features"}
    else:
        made = run_compare_svm(
            place.utterances,
            fold,
            place.labels,
            cache,
            cell.seed,
            config["features"],
            config["own_scale"],
        )
        chosen = {"C": made["C"]}
    tell(1.0)
    truth = [place.truth[i] for i in fold.test]
    return {
        "config": config,
        "chosen": chosen,
        "n": {
            k: len(getattr(fold, k)) for k in ("train", "validation", "adapt", "test")
        },
        # There are no epochs to choose among.
        "selections": {"last": scores(truth, made["predicted"], place.labels)},
    }, {}
