"""A cell of Table S5: a linear SVM, with labels of the target, on a method's features.

The features are those of the method's transductive run with the same seed, which is
computed first where it is not there.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ser_stream.pipeline.values import FloatArray
from training.baselines.folds import run_nmftsl
from training.baselines.supervised import supervised_svm
from training.paper.reproduce.cells import Cell
from training.paper.reproduce.progress import Tell
from training.paper.reproduce.result_file import scores
from training.paper.reproduce.run_classical import NMFTSL_FEATURES
from training.paper.reproduce.systems import cell_config
from training.paper.reproduce.workspace import Workspace
from training.paper.transfer_task import TARGET


def run_supervised(
    cell: Cell, space: Workspace, tell: Tell
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train on 80 % of the target, score the other 20 %.

    Returns:
        The cell's own part of its result, with `test`, the indices that are scored.
    """
    place = space.place(cell)
    base = replace(cell, system=cell.system.removesuffix("+svm"), fold="transductive")
    fold = space.fold(base)
    truth = np.array([place.truth[i] for i in fold.test], np.int64)
    if base.system == "nmftsl":
        cache = space.runs / "functionals"
        made = run_nmftsl(
            place.utterances, fold, place.labels, cache, cell.seed, NMFTSL_FEATURES
        )
        features: FloatArray = np.asarray(made["codes"], np.float32)
    else:
        features = _psi(base, space, tell)
    rows, predicted = supervised_svm(features, truth, cell.seed)
    test = [fold.test[i] for i in rows]
    tell(1.0)
    return {
        "config": cell_config(cell, space.epochs),
        "n": {"train": len(truth) - len(rows), "test": len(rows)},
        "selections": {
            "last": scores(truth[rows].tolist(), predicted.tolist(), place.labels)
        },
        "test": test,
    }, {}


def _psi(base: Cell, space: Workspace, tell: Tell) -> FloatArray:
    from training.paper.reproduce.run_cell import is_done, run_cell

    path = (space.results / base.path).with_suffix(".npz")
    if not (is_done(base, space) and path.exists()):
        run_cell(base, space, tell, wait=True)
    with np.load(path) as arrays:
        psi: FloatArray = arrays["psi"][arrays["domain"] == TARGET].astype(np.float32)
    return psi
