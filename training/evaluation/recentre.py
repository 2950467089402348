"""What a network takes an unknown voice to be like: `python -m training recentre`.

A network with `speaker_mean` hears how a voice differs from its own mean, and before it
knows that, from a mean m0 of all voices (`Head.mean`). In training m0 is of voices that
it has learned by heart, and features of new ones lie elsewhere, all in one direction.
So m0 is measured where it will be used: on voices that it never heard. No label is
looked at, but to keep to the network's classes, which these corpora have in about
equal parts: a mean of neutral speech alone would be another.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ser_stream.errors import ConfigError, ModelError
from ser_stream.pipeline.values import FloatArray
from training.engine.checkpoint import load_checkpoint, save_checkpoint
from training.evaluation.clip_steps import never_heard
from training.evaluation.loco import heard_of_clip
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
    saved = load_checkpoint(checkpoint)
    model, config = build_model(saved)
    if not config.model.speaker_mean:
        raise ModelError(
            f"{checkpoint} was trained without model.speaker_mean = true, so it has no "
            "mean to measure"
        )
    means = []
    heard = never_heard(config, corpora, names)
    for name, clips in heard.items():
        if len({u.emotion for u in clips}) < min(MIXED, len(config.labels)):
            raise ConfigError(
                f"{name} has {', '.join(sorted({u.emotion for u in clips}))} alone; "
                f"the mean needs {MIXED} classes of the network or more"
            )
        speakers: dict[str, list[FloatArray]] = {}
        for u in tqdm(clips, name, unit="clip", disable=not progress):
            found = heard_of_clip(model, config, u)
            if found.columns:
                speakers.setdefault(u.speaker, []).append(found.mean)
        means.append(np.mean([np.mean(of, axis=0) for of in speakers.values()], axis=0))
    mean = np.mean(means, axis=0).astype(np.float32)
    before = model.head.mean.numpy()
    moved = model.head.classifier.weight.detach().numpy() @ (before - mean)
    made = slimmed(saved)
    made["weights"][MEAN] = torch.from_numpy(mean)
    made["recentred"] = {
        "corpora": list(heard),
        "logits": [round(float(x), 3) for x in moved],
    }
    save_checkpoint(out, made)
    result: FloatArray = moved
    return result
