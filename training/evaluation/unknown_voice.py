"""How the logits of a voice that a network never heard are off, class by class.

See `training.evaluation.recentre`, which mends it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.evaluation.heard_clip import heard_of_clip
from training.recipe.config import TrainConfig
from training.recipe.frozen_columns import COLUMNS


def move_of_corpus(
    model: Cpac,
    config: TrainConfig,
    clips: Sequence[Utterance],
    cache: Path = COLUMNS,
    *,
    progress: bool,
) -> FloatArray:
    """Of each logit, less their mean; NaN for classes that the corpus has not."""
    means = {}
    for label in config.labels:
        of_label = [u for u in clips if u.emotion == label]
        if of_label:
            name = f"{clips[0].corpus} {label}"
            bar = tqdm(of_label, name, unit="clip", disable=not progress)
            means[label] = mean_of_speakers(model, config, bar, cache)
    mean = np.mean(list(means.values()), axis=0)
    move = classifier_weight(model) @ (model.head.mean.numpy() - mean)
    said = np.array([label in means for label in config.labels])
    result: FloatArray = np.where(said, move - move[said].mean(), np.nan)
    return result


def mean_of_speakers(
    model: Cpac,
    config: TrainConfig,
    clips: Iterable[Utterance],
    cache: Path = COLUMNS,
) -> FloatArray:
    """Mean of the features, (n_features,), every speaker weighing the same.

    Raises:
        ConfigError: if no speech is heard in any clip.
    """
    speakers: dict[str, list[FloatArray]] = {}
    corpora, emotions = set(), set()
    for u in clips:
        corpora.add(u.corpus)
        emotions.add(u.emotion)
        found = heard_of_clip(model, config, u, cache)
        if found.columns:
            speakers.setdefault(u.speaker, []).append(found.mean)
    if not speakers:
        raise ConfigError(
            f"no speech is heard in any clip of {', '.join(sorted(corpora))} "
            f"({', '.join(sorted(emotions))}), so nothing can be measured on them; "
            "`python -m training corpora` tells what is wrong with files"
        )
    mean: FloatArray = np.mean(
        [np.mean(of, axis=0) for of in speakers.values()], axis=0
    )
    return mean


def classifier_weight(model: Cpac) -> FloatArray:
    weight: FloatArray = model.head.classifier.weight.detach().numpy()
    return weight


def mean_move(moves: Mapping[str, FloatArray], labels: Sequence[str]) -> FloatArray:
    """Over corpora, of each logit, (n_classes,); every class over those that have it.

    Raises:
        ConfigError: if no corpus has a class.
    """
    table = np.array(list(moves.values()))
    if unsaid := np.isnan(table).all(axis=0).nonzero()[0].tolist():
        raise ConfigError(
            f"no fold says how {', '.join(labels[i] for i in unsaid)} moves: "
            f"{', '.join(moves)} have it not"
        )
    result: FloatArray = np.nanmean(table, axis=0)
    return result


def moved_mean(model: Cpac, moved: FloatArray) -> FloatArray:
    """The mean of unknown voices, (n_features,), moved no more than the logits ask.

    Args:
        model: with `speaker_mean`.
        moved: by how much each logit is to move, (n_classes,).
    """
    least = np.linalg.pinv(classifier_weight(model)) @ moved
    result: FloatArray = (model.head.mean.numpy() - least).astype(np.float32)
    return result
