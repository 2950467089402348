"""A cross-corpus experiment of a network -> its result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ser_stream.errors import ModelError
from ser_stream.pipeline.values import FloatArray
from training.engine.checkpoint import load_checkpoint
from training.engine.fit import Fit, pick_device
from training.engine.git_revision import git_revision
from training.engine.result_store import locked
from training.paper.classify_task import ClassifyTask, outputs
from training.paper.mfcc_cache import fixed_length
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.selection import Scored, Selection
from training.paper.reproduce.systems import transfer_config
from training.paper.reproduce.workspace import CorpusData, Workspace
from training.paper.transfer_task import (
    TransferConfig,
    TransferNetwork,
    TransferTask,
    class_distances,
    levelled,
    new_transfer_network,
)
from training.protocols import Fold

SOURCE_SHARE = 0.4
"""Of an experiment's time, roughly, where the source checkpoint is not there yet."""

COMPARED_FRAMES = 237
"""3 s: raw MFCCs of two corpora are compared as matrices of this length."""


@dataclass(frozen=True, slots=True)
class Domains:
    """A fold's clips, at the level the network gets them."""

    source: list[FloatArray]
    source_truth: list[int]
    validation: list[FloatArray]
    validation_truth: list[int]
    adapt: list[FloatArray]
    test: list[FloatArray]
    test_truth: list[int]


def domains(data: CorpusData, fold: Fold, config: TransferConfig) -> Domains:
    """The clips of a fold; levelled corpus by corpus where the configuration says so.

    The target's level is that of the clips it is adapted to, so that inductive scoring
    knows nothing of the clips it scores.
    """
    raw = {
        name: [data.frames[i] for i in getattr(fold, name)]
        for name in ("train", "validation", "adapt", "test")
    }
    if config.levels == "by-corpus":
        source, target = raw["train"], raw["adapt"]
        raw = {
            "train": levelled(raw["train"], source),
            "validation": levelled(raw["validation"], source),
            "adapt": levelled(raw["adapt"], target),
            "test": levelled(raw["test"], target),
        }

    def truth(indices: Sequence[int]) -> list[int]:
        return [data.truth[i] for i in indices]

    return Domains(
        raw["train"],
        truth(fold.train),
        raw["validation"],
        truth(fold.validation),
        raw["adapt"],
        raw["test"],
        truth(fold.test),
    )


def source_network(
    config: TransferConfig,
    clips: Domains,
    labels: Sequence[str],
    experiment: PaperExperiment,
    space: Workspace,
    tell: Callable[[float], None],
) -> TransferNetwork:
    """The network trained on the source alone; the same file for all methods."""
    device = pick_device(space.device)
    identity: dict[str, Any] = {
        "config": config.source.to_dict(),
        "levels": config.levels,
        "corpus": experiment.corpora[0],
        "labels": list(labels),
        "n": len(clips.source),
        "seed": experiment.seed,
    }
    folder = space.shared_folder("source", identity)
    with locked(folder, wait=True):
        torch.manual_seed(experiment.seed)
        network = new_transfer_network(config.source, clips.source, len(labels))
        task = ClassifyTask(
            config.source,
            clips.source,
            clips.source_truth,
            len(labels),
            experiment.seed,
            device,
            network=network,
        )
        path = folder / "checkpoint.pt"
        schedule = config.source.schedule
        meta = {**identity, "revision": git_revision()}
        fit = Fit(task, schedule, experiment.seed, path, meta, device)
        fit.run(lambda row: tell(row["epoch"] / schedule.epochs))
        network.load_state_dict(load_checkpoint(path)["weights"])
    return network


def run_cross(
    experiment: PaperExperiment, space: Workspace, tell: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Adapt from the shared source checkpoint, and score after every epoch.

    Returns:
        The experiment's own part of its result, and arrays that go beside it.
    """
    config = transfer_config(experiment, space.epochs)
    data, fold = space.data(experiment), space.fold(experiment)
    device = pick_device(space.device)
    clips = domains(data, fold, config)
    n_frames = config.source.n_frames
    network = source_network(
        config,
        clips,
        data.labels,
        experiment,
        space,
        lambda share: tell(SOURCE_SHARE * share),
    )
    task = TransferTask(
        config,
        network,
        clips.source,
        clips.source_truth,
        clips.adapt,
        len(data.labels),
        experiment.seed,
        device,
    )
    selection = Selection(
        Scored(clips.test_truth, data.labels, "UAR"),
        Scored(clips.validation_truth, data.labels, "UAR"),
    )
    everything = [*clips.source, *clips.validation, *clips.test]

    def after(epoch: int, module: nn.Module, kept: dict[str, Any]) -> None:
        if not config.source.scores_after(epoch, config.schedule.epochs):
            return
        averaged = module["network"]  # type: ignore[index]
        said = outputs(averaged, clips.test, n_frames, device)
        chosen = outputs(averaged, clips.validation, n_frames, device)
        if not np.isfinite(said).all():
            raise ModelError(
                f"{experiment}: the outputs of epoch {epoch} are not finite"
            )
        selection.note(kept, epoch, list(said.argmax(1)), list(chosen.argmax(1)))
        if epoch == config.schedule.epochs:
            psi = outputs(averaged.features, everything, n_frames, device)
            kept["psi"] = torch.from_numpy(psi)

    path = space.run_folder(experiment) / "checkpoint.pt"
    identity = space.identity(experiment, config.to_dict())
    fit = Fit(task, config.schedule, experiment.seed, path, identity, device, after)
    rest = 1.0 - SOURCE_SHARE
    fit.run(
        lambda row: tell(SOURCE_SHARE + rest * row["epoch"] / config.schedule.epochs)
    )
    psi = fit.kept["psi"].numpy()
    n_source = len(clips.source) + len(clips.validation)
    domain = [0] * n_source + [1] * len(clips.test)
    truth = clips.source_truth + clips.validation_truth + clips.test_truth
    indices = [*fold.train, *fold.validation, *fold.test]
    raw = [data.frames[i] for i in indices]
    result = {
        "epochs": config.schedule.epochs,
        "n": {
            k: len(getattr(fold, k)) for k in ("train", "validation", "adapt", "test")
        },
        "selections": selection.results(fit.kept),
        "curve": fit.kept["curve"],
        "distances": {
            "before": _named(
                fixed_length(raw, COMPARED_FRAMES).reshape(len(raw), -1),
                truth,
                domain,
                data.labels,
            ),
            "after": _named(psi, truth, domain, data.labels),
        },
    }
    arrays = {
        "psi": psi.astype(np.float16),
        "mfcc": np.array([clip.mean(0) for clip in raw], np.float16),
        "truth": np.array(truth, np.int8),
        "domain": np.array(domain, np.int8),
    }
    return result, arrays


def _named(
    features: FloatArray, truth: list[int], domain: list[int], labels: Sequence[str]
) -> dict[str, float]:
    distances = class_distances(features, truth, domain, len(labels))
    # A class that one of the corpora lacks has no distance.
    known = {
        label: round(d, 4)
        for label, d in zip(labels, distances, strict=True)
        if np.isfinite(d)
    }
    return {**known, "mean": round(float(np.mean(list(known.values()))), 4)}
