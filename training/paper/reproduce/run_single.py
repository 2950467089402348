"""An experiment of a protocol within one corpus -> its result."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch

from training.engine.fit import pick_device
from training.paper.classify_task import ClassifyTask
from training.paper.reproduce.constants import RIVAL_NETWORKS
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.scored_fit import fit_scored
from training.paper.reproduce.selection import Selection
from training.paper.reproduce.systems import network_config
from training.paper.reproduce.workspace import Workspace
from training.paper.rival_networks import RivalKind, lengthened, new_rival


def run_single(
    experiment: PaperExperiment, space: Workspace, tell: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train on a fold and score it after every epoch.

    Returns:
        The experiment's own part of its result, and arrays that go beside it.
    """
    config = network_config(experiment, space.epochs)
    data, fold = space.data(experiment), space.fold(experiment)
    clips, truth = data.parts(fold)
    network = None
    if experiment.system in RIVAL_NETWORKS:
        long = config.n_frames
        clips = {k: [lengthened(clip, long) for clip in of] for k, of in clips.items()}
        torch.manual_seed(experiment.seed)
        kind = cast("RivalKind", experiment.system)
        network = new_rival(kind, clips["train"], len(data.labels))
    task = ClassifyTask(
        config,
        clips["train"],
        truth["train"],
        len(data.labels),
        experiment.seed,
        pick_device(space.device),
        network,
    )
    selection = Selection(truth, data.labels, "WAR")
    scored = {**clips, "psi": clips["test"]}
    kept = fit_scored(experiment, space, task, config, scored, selection, tell)
    found = selection.results(kept)
    if experiment.protocol != "paper-10fold":
        # The other protocols choose nothing, so nothing chosen is reported.
        found = {"last": found["last"]}
    result = {
        "epochs": config.schedule.epochs,
        "n": {part: len(clips[part]) for part in ("train", "validation", "test")},
        "selections": found,
        "curve": kept["curve"],
    }
    if not experiment.beside:
        return result, {}
    psi = kept["psi"].numpy().astype(np.float16)
    return result, {"psi": psi, "truth": np.array(truth["test"], np.int8)}
