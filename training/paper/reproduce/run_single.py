"""A cell of a protocol within one corpus -> its result."""

from typing import Any

import numpy as np
import torch
from torch import nn

from ser_stream.errors import ModelError
from training.engine.fit import Fit, pick_device
from training.paper.classify_task import ClassifyTask, outputs
from training.paper.networks import Network
from training.paper.reproduce.cells import Cell
from training.paper.reproduce.progress import Tell
from training.paper.reproduce.selection import Scored, Selection
from training.paper.reproduce.systems import network_config
from training.paper.reproduce.workspace import Workspace


def run_single(
    cell: Cell, space: Workspace, tell: Tell
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train on a fold and score it after every epoch.

    Returns:
        The cell's own part of its result, and arrays that go beside it.
    """
    config = network_config(cell, space.epochs)
    place, fold = space.place(cell), space.fold(cell)
    device = pick_device(space.device)
    n_frames = config.n_frames
    task = ClassifyTask(
        config,
        [place.frames[i] for i in fold.train],
        [place.truth[i] for i in fold.train],
        len(place.labels),
        cell.seed,
        device,
    )
    test = [place.frames[i] for i in fold.test]
    held = [place.frames[i] for i in fold.validation]
    truth = [place.truth[i] for i in fold.test]
    selection = Selection(
        Scored(truth, place.labels, "WAR"),
        Scored([place.truth[i] for i in fold.validation], place.labels, "WAR")
        if held
        else None,
    )

    def after(epoch: int, module: nn.Module, kept: dict[str, Any]) -> None:
        if not config.scores_after(epoch, config.schedule.epochs):
            return
        logits = outputs(module, test, n_frames, device)
        if not np.isfinite(logits).all():
            raise ModelError(f"{cell}: the outputs of epoch {epoch} are not finite")
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

    path = space.run_folder(cell) / "checkpoint.pt"
    identity = space.identity(cell, config.to_dict())
    fit = Fit(task, config.schedule, cell.seed, path, identity, device, after)
    fit.run(lambda row: tell(row["epoch"] / config.schedule.epochs))
    kept = fit.kept
    found = selection.results(kept)
    if cell.protocol != "paper-10fold":
        # The other protocols choose nothing, so nothing chosen is reported.
        found = {"last": found["last"]}
    result = {
        "config": config.to_dict(),
        "epochs": config.schedule.epochs,
        "n": {k: len(getattr(fold, k)) for k in ("train", "validation", "test")},
        "selections": found,
        "curve": kept["curve"],
    }
    return result, {"psi": kept["psi"].numpy(), "truth": np.array(truth, np.int8)}
