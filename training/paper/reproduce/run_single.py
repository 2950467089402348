"""An experiment of a protocol within one corpus -> its result."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from ser_stream.errors import ModelError
from training.engine.fit import Fit, pick_device
from training.paper.classify_task import ClassifyTask, outputs
from training.paper.networks import Network
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.selection import Scored, Selection
from training.paper.reproduce.systems import network_config
from training.paper.reproduce.workspace import Workspace


def run_single(
    experiment: PaperExperiment, space: Workspace, tell: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train on a fold and score it after every epoch.

    Returns:
        The experiment's own part of its result, and arrays that go beside it.
    """
    config = network_config(experiment, space.epochs)
    data, fold = space.data(experiment), space.fold(experiment)
    device = pick_device(space.device)
    n_frames = config.n_frames
    task = ClassifyTask(
        config,
        [data.frames[i] for i in fold.train],
        [data.truth[i] for i in fold.train],
        len(data.labels),
        experiment.seed,
        device,
    )
    test = [data.frames[i] for i in fold.test]
    held = [data.frames[i] for i in fold.validation]
    truth = [data.truth[i] for i in fold.test]
    selection = Selection(
        Scored(truth, data.labels, "WAR"),
        Scored([data.truth[i] for i in fold.validation], data.labels, "WAR")
        if held
        else None,
    )

    def after(epoch: int, module: nn.Module, kept: dict[str, Any]) -> None:
        if not config.scores_after(epoch, config.schedule.epochs):
            return
        logits = outputs(module, test, n_frames, device)
        if not np.isfinite(logits).all():
            raise ModelError(
                f"{experiment}: the outputs of epoch {epoch} are not finite"
            )
        said = logits.argmax(1)
        chosen = outputs(module, held, n_frames, device).argmax(1) if held else None
        selection.note(
            kept, epoch, list(said), None if chosen is None else list(chosen)
        )
        if epoch == config.schedule.epochs:
            assert isinstance(module, Network)
            kept["psi"] = torch.from_numpy(
                outputs(module.features, test, n_frames, device)
            ).half()

    path = space.run_folder(experiment) / "checkpoint.pt"
    identity = space.identity(experiment, config.to_dict())
    fit = Fit(task, config.schedule, experiment.seed, path, identity, device, after)
    fit.run(lambda row: tell(row["epoch"] / config.schedule.epochs))
    kept = fit.kept
    found = selection.results(kept)
    if experiment.protocol != "paper-10fold":
        # The other protocols choose nothing, so nothing chosen is reported.
        found = {"last": found["last"]}
    result = {
        "epochs": config.schedule.epochs,
        "n": {k: len(getattr(fold, k)) for k in ("train", "validation", "test")},
        "selections": found,
        "curve": kept["curve"],
    }
    return result, {"psi": kept["psi"].numpy(), "truth": np.array(truth, np.int8)}
