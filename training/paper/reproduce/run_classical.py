"""An experiment of a system without epochs -> its result.

openSMILE with an SVM, echo states, NMFTSL, or the length of a clip.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from training.baselines.clip_length import clip_length_predict, clip_lengths
from training.baselines.echo_state import EchoStateConfig, echo_state_predict
from training.baselines.folds import (
    COSTS,
    DISCRIMINATION,
    TRANSFER,
    run_compare_svm,
    run_nmftsl,
)
from training.baselines.svm import GRID
from training.paper.reproduce.constants import UNHEARD
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.scores import scores
from training.paper.reproduce.workspace import Workspace

NMFTSL_FEATURES = "egemaps"


def classical_config(experiment: PaperExperiment) -> dict[str, Any]:
    """What decides the result; what a run chose by itself is its `chosen`."""
    if experiment.system.startswith("nmftsl"):
        return {
            "features": NMFTSL_FEATURES,
            "transfer": list(TRANSFER),
            "discrimination": list(DISCRIMINATION),
            "C": list(COSTS),
        }
    if experiment.system == "echo-state":
        return {
            "features": "MFCC",
            "classifier": "echo state network, both ways; ridge on mean states",
            **asdict(EchoStateConfig()),
        }
    if experiment.system == UNHEARD:
        return {
            "features": "samples of the file, at its own rate",
            "classifier": "a vote of all that are nearest",
        }
    return {
        "features": experiment.system.removesuffix("-svm"),
        "classifier": "linear SVM, balanced",
        "C": list(GRID),
        # Across corpora, each is standardised by itself, as the networks' input is.
        "own_scale": experiment.protocol == "cross",
    }


def run_classical(
    experiment: PaperExperiment, space: Workspace, tell: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Fit on a fold, with all that is chosen chosen inside its training part.

    Returns:
        The experiment's own part of its result; no arrays.
    """
    data, fold = space.data(experiment), space.fold(experiment)
    cache = space.runs / "functionals"
    config = classical_config(experiment)
    if experiment.system == "nmftsl":
        made = run_nmftsl(
            data.utterances, fold, data.labels, cache, experiment.seed, NMFTSL_FEATURES
        )
        chosen = {k: v for k, v in made["config"].items() if k != "features"}
    elif experiment.system == "echo-state":
        clips, classes = data.parts(fold)
        train_y = np.array(classes["train"], np.int64)
        seed = experiment.seed
        found = echo_state_predict(clips["train"], train_y, clips["test"], seed)
        made, chosen = {"predicted": found.tolist()}, {}
    elif experiment.system == UNHEARD:
        lengths = clip_lengths([utterance.path for utterance in data.utterances])
        train, test = list(fold.train), list(fold.test)
        truth_of = np.array(data.truth, np.int64)
        found = clip_length_predict(lengths[train], truth_of[train], lengths[test])
        made, chosen = {"predicted": found.tolist()}, {}
    else:
        made = run_compare_svm(
            data.utterances,
            fold,
            data.labels,
            cache,
            experiment.seed,
            config["features"],
            config["own_scale"],
        )
        chosen = {"C": made["C"]}
    tell(1.0)
    truth = [data.truth[i] for i in fold.test]
    return {
        "chosen": chosen,
        "n": {part: len(rows) for part, rows in fold.parts.items()},
        # There are no epochs to choose among.
        "selections": {"last": scores(truth, made["predicted"], data.labels)},
    }, {}
