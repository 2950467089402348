"""What a network takes an unknown voice to be like: `python -m training recentre`.

A network with `speaker_mean` hears how a voice differs from its own mean, and before it
knows that, from a mean m0 of all voices (`Head.mean`). In training m0 is of voices that
it has learned by heart, and features of new ones lie elsewhere, all in one direction.
So m0 is measured where it will be used: on voices that it never heard. No label is
looked at, but to keep to the network's classes, which these corpora have in about
equal parts: a mean of neutral speech alone would be another.

Where all corpora are in training, the networks of a cross-validation that leaves out
one corpus at a time tell how it moves: their features mean other things than those of
the network that ships, but their logits mean the same, so it is in these that the move
is measured, and the least move of m0 that gives it is taken.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ser_stream.errors import ConfigError, ModelError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.values import FloatArray
from training.corpora import load_corpora
from training.corpora.utterance import corpus_of
from training.engine.checkpoint import load_checkpoint, save_checkpoint
from training.evaluation.clip_steps import never_heard, of_labels
from training.evaluation.crossval import scored_corpora
from training.evaluation.unknown_voice import (
    classifier_weight,
    mean_move,
    mean_of_speakers,
    move_of_corpus,
    moved_mean,
)
from training.recipe.config import TrainConfig
from training.recipe.model import build_model, slimmed

MEAN = "head.mean"
MIXED = 3
"""Classes, at least, that a corpus must have to say what voices are like at large."""


def recentre(
    checkpoint: Path,
    corpora: Path,
    names: Sequence[str],
    out: Path,
    *,
    progress: bool = True,
) -> FloatArray:
    """Write the checkpoint anew, its mean of unknown voices measured on corpora.

    Every corpus weighs the same, and in it every speaker.

    Args:
        checkpoint: of `python -m training train`, with `speaker_mean`.
        corpora: folder with them.
        names: corpora that are not in its training.
        out: checkpoint to write.
        progress: show a bar for each corpus.

    Returns:
        By how much the logits of an unknown voice move, (n_classes,).

    Raises:
        ModelError: if the network has no such mean.
        ConfigError: if a corpus was in training, or has hardly any of the classes.
        SourceError: if one is not there.
    """
    saved, model, config = _with_mean(checkpoint)
    means = []
    heard = never_heard(config, corpora, names)
    for name, clips in heard.items():
        if len({u.emotion for u in clips}) < min(MIXED, len(config.labels)):
            raise ConfigError(
                f"{name} has {', '.join(sorted({u.emotion for u in clips}))} alone; "
                f"the mean needs {MIXED} classes of the network or more"
            )
        bar = tqdm(clips, name, unit="clip", disable=not progress)
        means.append(mean_of_speakers(model, config, bar))
    mean = np.mean(means, axis=0).astype(np.float32)
    moved: FloatArray = classifier_weight(model) @ (model.head.mean.numpy() - mean)
    _write(out, saved, mean, moved, {"corpora": list(heard)})
    return moved


def recentre_by_folds(
    checkpoint: Path,
    corpora: Path,
    folds: Path,
    out: Path,
    *,
    progress: bool = True,
) -> FloatArray:
    """Write the checkpoint anew, its mean moved as corpora that were left out ask.

    Labels are used to weigh the classes of a corpus the same. A corpus says nothing of
    classes that it has not; every class is the mean over the corpora that have it.

    Args:
        checkpoint: of `python -m training train`, with `speaker_mean`.
        corpora: folder with those of its training.
        folds: folder of its `crossval`, with `held_out = "corpora"`.
        out: checkpoint to write.
        progress: show a bar for each corpus.

    Returns:
        By how much the logits of an unknown voice move, (n_classes,).

    Raises:
        ModelError: if the network has no such mean.
        ConfigError: if the folds are not two or more of this recipe, finished.
        SourceError: if a corpus is not there.
    """
    saved, model, config = _with_mean(checkpoint)
    moves = {}
    for path in sorted(folds.glob("fold-*/checkpoint.pt")):
        of_fold = load_checkpoint(path)
        network, recipe = build_model(of_fold)
        known = [corpus.name for corpus in config.corpora]
        trained = {corpus_of(person, known) for person in of_fold["speakers"]}
        left_out = [name for name in scored_corpora(config) if name not in trained]
        if replace(recipe, name=config.name) != config or len(left_out) != 1:
            raise ConfigError(
                f"{path} is of another recipe than {checkpoint}, or leaves out no "
                'corpus whole; crossval does with held_out = "corpora"'
            )
        if int(of_fold["epoch"]) < recipe.epochs:
            raise ConfigError(f"{path} is not finished; run crossval to its end")
        (name,) = left_out
        clips = of_labels(load_corpora(corpora, [name]), name, config.labels)
        moves[name] = move_of_corpus(network, config, clips, progress=progress)
    if len(moves) < 2:
        raise ConfigError(
            f"{folds} has {len(moves)} folds that leave out a corpus; it needs two or "
            "more"
        )
    moved = mean_move(moves, config.labels)
    mean = moved_mean(model, moved)
    _write(out, saved, mean, moved, {"corpora": list(moves), "folds": True})
    return moved


def _with_mean(checkpoint: Path) -> tuple[dict[str, Any], Cpac, TrainConfig]:
    saved = load_checkpoint(checkpoint)
    model, config = build_model(saved)
    if not config.model.speaker_mean:
        raise ModelError(
            f"{checkpoint} was trained without model.speaker_mean = true, so it has no "
            "mean to measure"
        )
    return saved, model, config


def _write(
    out: Path,
    saved: dict[str, Any],
    mean: FloatArray,
    moved: FloatArray,
    by: dict[str, Any],
) -> None:
    made = slimmed(saved)
    made["weights"][MEAN] = torch.from_numpy(mean)
    logits = [round(float(x), 3) for x in moved]
    made["recentred"] = {**by, "logits": logits}
    save_checkpoint(out, made)
