"""A cross-corpus experiment of a network -> its result."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ser_stream.pipeline.values import FloatArray
from training.engine.checkpoint import load_checkpoint, weights_sha256
from training.engine.fit import Fit, pick_device
from training.engine.git_revision import git_revision
from training.engine.result_store import locked
from training.paper.classify_task import ClassifyTask
from training.paper.mfcc_cache import fixed_length
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.scored_fit import fit_scored
from training.paper.reproduce.selection import Selection
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


def fold_clips(
    data: CorpusData, fold: Fold, config: TransferConfig
) -> tuple[dict[str, list[FloatArray]], dict[str, list[int]]]:
    """Frames and classes of a fold, by its parts.

    They are levelled corpus by corpus where the configuration says so. The target's
    level is that of the clips it is adapted to, so that inductive scoring knows nothing
    of the clips it scores.
    """
    raw, truth = data.parts(fold)
    if config.levels == "as-recorded":
        return raw, truth
    of_corpus = {"train": "train", "validation": "train"}
    other = "train" if config.levels == "by-source" else "adapt"
    clips = {k: levelled(raw[k], raw[of_corpus.get(k, other)]) for k in raw}
    return clips, truth


def source_network(
    config: TransferConfig,
    clips: Sequence[FloatArray],
    truth: Sequence[int],
    labels: Sequence[str],
    experiment: PaperExperiment,
    space: Workspace,
    tell: Callable[[float], None],
) -> TransferNetwork:
    """The network trained on the source alone; the same file for all methods.

    Where that has no epochs, one with fresh weights.
    """
    torch.manual_seed(experiment.seed)
    network = new_transfer_network(config.source, clips, len(labels))
    if not config.source.schedule.epochs:
        return network
    device = pick_device(space.device)
    identity: dict[str, Any] = {
        "config": asdict(config.source),
        # By the source's own frames, in either way.
        "levels": config.levels.replace("by-source", "by-corpus"),
        "corpus": experiment.corpora[0],
        "labels": list(labels),
        "n": len(clips),
        "seed": experiment.seed,
    }
    folder = space.shared_folder("source", identity)
    with locked(folder, wait=True):
        task = ClassifyTask(
            config.source,
            clips,
            truth,
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
    clips, truth = fold_clips(data, fold, config)
    at_source = SOURCE_SHARE if config.source.schedule.epochs else 0.0
    network = source_network(
        config,
        clips["train"],
        truth["train"],
        data.labels,
        experiment,
        space,
        lambda share: tell(at_source * share),
    )
    began_from = weights_sha256(network.state_dict())
    task = TransferTask(
        config,
        network,
        clips["train"],
        truth["train"],
        clips["adapt"],
        len(data.labels),
        experiment.seed,
        pick_device(space.device),
    )
    selection = Selection(truth, data.labels, "UAR")
    everything = ("train", "validation", "test")
    clips["psi"] = [clip for part in everything for clip in clips[part]]
    kept = fit_scored(
        experiment,
        space,
        task,
        config,
        clips,
        selection,
        lambda share: tell(at_source + (1.0 - at_source) * share),
    )
    psi = kept["psi"].numpy()
    classes = [c for part in everything for c in truth[part]]
    domain = [int(part == "test") for part in everything for _ in truth[part]]
    raw = [data.frames[i] for part in everything for i in fold.parts[part]]
    result = {
        "epochs": config.schedule.epochs,
        # Which methods began alike: an unfinished run's folder does not last.
        "source_network": began_from,
        "n": {part: len(rows) for part, rows in fold.parts.items()},
        "selections": selection.results(kept),
        "curve": kept["curve"],
        "distances": {
            "before": _named(
                fixed_length(raw, COMPARED_FRAMES).reshape(len(raw), -1),
                classes,
                domain,
                data.labels,
            ),
            "after": _named(psi, classes, domain, data.labels),
        },
    }
    arrays = {
        "psi": psi.astype(np.float16),
        "mfcc": np.array([clip.mean(0) for clip in raw], np.float16),
        "truth": np.array(classes, np.int8),
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
