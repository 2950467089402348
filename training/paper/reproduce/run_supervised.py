"""Table S5: a linear SVM, with labels of the target, on a method's features.

The features are those of the method's transductive run with the same seed, which is
computed first where it is not there.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ser_stream.pipeline.values import FloatArray
from training.baselines.folds import run_nmftsl
from training.baselines.svm import supervised_svm
from training.engine.experiment import Progress
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.run_classical import NMFTSL_FEATURES
from training.paper.reproduce.scores import scores
from training.paper.reproduce.workspace import Workspace
from training.paper.transfer_task import TARGET


def run_supervised(
    experiment: PaperExperiment, space: Workspace, tell: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train on 80 % of the target, score the other 20 %.

    Returns:
        The experiment's own part of its result; `test` in it: the indices scored.
    """
    data = space.data(experiment)
    base = replace(
        experiment, system=experiment.system.removesuffix("+svm"), fold="transductive"
    )
    fold = space.fold(base)
    truth = np.array([data.truth[i] for i in fold.test], np.int64)
    if base.system == "nmftsl":
        cache = space.runs / "functionals"
        made = run_nmftsl(
            data.utterances, fold, data.labels, cache, experiment.seed, NMFTSL_FEATURES
        )
        features: FloatArray = np.asarray(made["codes"], np.float32)
    else:
        features = _psi(base, space, tell)
    rows, predicted = supervised_svm(features, truth, experiment.seed)
    test = [fold.test[i] for i in rows]
    tell(1.0)
    return {
        "n": {"train": len(truth) - len(rows), "test": len(rows)},
        "selections": {
            "last": scores(truth[rows].tolist(), predicted.tolist(), data.labels)
        },
        "test": test,
    }, {}


def _psi(
    base: PaperExperiment, space: Workspace, tell: Callable[[float], None]
) -> FloatArray:
    base.run(space, Progress(tell), wait=True)
    with np.load(space.store.path(base.name).with_suffix(".npz")) as arrays:
        psi: FloatArray = arrays["psi"][arrays["domain"] == TARGET].astype(np.float32)
    return psi
