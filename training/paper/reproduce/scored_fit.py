"""A task is fitted, and its network scored after every epoch that is due."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ser_stream.errors import ModelError
from ser_stream.pipeline.values import FloatArray
from training.engine.fit import Fit, Task, pick_device
from training.paper.classify_task import NetworkConfig, outputs
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.selection import Selection
from training.paper.reproduce.workspace import Workspace
from training.paper.transfer_task import TransferConfig


def fit_scored(
    experiment: PaperExperiment,
    space: Workspace,
    task: Task[Any],
    config: NetworkConfig | TransferConfig,
    clips: Mapping[str, Sequence[FloatArray]],
    selection: Selection,
    tell: Callable[[float], None],
) -> dict[str, Any]:
    """Train to the last epoch, or go on from the checkpoint of the experiment.

    Args:
        experiment: whose task it is.
        space: where its checkpoint lies.
        task: what is trained; a network, or a dictionary that holds one.
        config: the settings of the task.
        clips: frames of the clips to score: `test`, `validation` (may be empty), and
            `psi`, whose features are kept.
        selection: notes the epochs.
        tell: told the share that is done.

    Returns:
        What `selection` has noted, and `psi`: a tensor, (n, 64).

    Raises:
        ModelError: if an output is not finite.
    """
    network = config.source if isinstance(config, TransferConfig) else config
    schedule, device = config.schedule, pick_device(space.device)

    def after(epoch: int, module: nn.Module, kept: dict[str, Any]) -> None:
        if not network.scores_after(epoch, schedule.epochs):
            return
        averaged: Any = (
            module["network"] if isinstance(module, nn.ModuleDict) else module
        )
        logits = {
            part: outputs(averaged, clips[part], network.n_frames, device)
            for part in ("test", "validation")
            if clips[part]
        }
        if not np.isfinite(logits["test"]).all():
            raise ModelError(
                f"{experiment}: the outputs of epoch {epoch} are not finite"
            )
        selection.note(kept, epoch, {k: x.argmax(1) for k, x in logits.items()})
        if epoch == schedule.epochs:
            features = averaged.features
            psi = outputs(features, clips["psi"], network.n_frames, device)
            kept["psi"] = torch.from_numpy(psi)

    path = space.run_folder(experiment) / "checkpoint.pt"
    identity = space.identity(experiment, config)
    fit = Fit(task, schedule, experiment.seed, path, identity, device, after)
    fit.run(lambda row: tell(row["epoch"] / schedule.epochs))
    return fit.kept
