"""A trained network and its clips -> where the features of its training speech lie."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac
from ser_stream.nn.masked import UNLABELLED
from ser_stream.nn.whisper import WhisperEncoder
from ser_stream.pipeline.familiarity import Familiarity
from ser_stream.pipeline.last_layer import LastLayer
from ser_stream.pipeline.speaker import LEAST_COLUMNS
from ser_stream.pipeline.values import FloatArray
from training.corpora import load_corpora
from training.engine.array_file import write_arrays
from training.engine.checkpoint import load_checkpoint
from training.recipe.dataset import TrainingSet
from training.recipe.model import build_model
from training.recipe.train import TrainOptions, training_set

N_WINDOWS = 4000
"""Some twenty for each feature; ..."""
MOST_OF_A_CLIP = 40
"""... and no more of each clip."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpace:
    """What `python -m export` puts beside a network's last layer."""

    familiarity: Familiarity
    emotions: FloatArray
    """How the features of each class lie about those of its speaker, (n_classes,
    n_features); their sum is 0."""

    def write(self, path: Path) -> None:
        """Write the file of that very name, and its folder, whole or not at all."""
        known = self.familiarity
        arrays = {
            "centre": known.centre,
            "whitening": known.whitening,
            "typical": np.array(known.typical),
            "emotions": self.emotions,
        }
        write_arrays(path, arrays, compress=False)


def last_layer_of(model: Cpac, emotions: FloatArray | None = None) -> LastLayer:
    """Of a network that is told of speakers; `emotions` as `LastLayer` has them."""
    last = model.head.classifier
    weight, bias = (part.detach().numpy() for part in (last.weight, last.bias))
    return LastLayer(model.head.mean.numpy(), weight, bias, emotions)


def feature_space(
    checkpoint: Path, corpora: Path, options: TrainOptions, seed: int = 0
) -> FeatureSpace:
    """Measure it on windows as the training drew them, augmented.

    Args:
        checkpoint: of a training.
        corpora: folder of the corpora that it was trained on.
        options: noises, caches and threads of the training.
        seed: of what is drawn.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    model, config = build_model(load_checkpoint(checkpoint))
    utterances = load_corpora(corpora, [corpus.name for corpus in config.corpora])
    data = training_set(model, utterances, config, options)
    features, rows = training_features(model, data, seed, progress=options.progress)
    return FeatureSpace(familiarity(features), _emotions(data, features, rows))


def emotions_of(
    model: Cpac, data: TrainingSet, seed: int = 0, *, progress: bool
) -> FloatArray:
    """`FeatureSpace.emotions` of a network and its training clips."""
    features, rows = training_features(model, data, seed, progress=progress)
    return _emotions(data, features, rows)


def _emotions(
    data: TrainingSet, features: FloatArray, rows: NDArray[np.intp]
) -> FloatArray:
    speakers = np.array([u.person for u in data.utterances])[rows]
    n_classes = len(data.config.labels)
    return emotions(features, data.targets[rows], speakers, n_classes)


@torch.no_grad()
def training_features(
    model: Cpac, data: TrainingSet, seed: int, *, progress: bool
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Features of windows that are long enough, and the numbers of their clips."""
    if data.config.max_columns < LEAST_COLUMNS:
        raise ConfigError(
            f"max_columns is {data.config.max_columns}, and features of windows under "
            f"{LEAST_COLUMNS} columns say little of a voice"
        )
    encoder = model.encoder
    encode = encoder.project if isinstance(encoder, WhisperEncoder) else encoder
    maker = data.maker(np.random.default_rng(seed))
    found: list[FloatArray] = []
    rows: list[NDArray[np.intp]] = []
    left = min(N_WINDOWS, MOST_OF_A_CLIP * len(data))
    with tqdm(total=left, desc="features", unit="window", disable=not progress) as bar:
        while left > 0:
            for batch in data.batches(maker, encoder.mean.numpy()):
                columns = encode(batch.frames)
                if columns.shape[1] < LEAST_COLUMNS:
                    continue
                found.append(model.head.features(columns).numpy())
                rows.append(batch.rows.numpy())
                bar.update(len(rows[-1]))
                left -= len(rows[-1])
                if left <= 0:
                    break
    return np.concatenate(found), np.concatenate(rows)


def familiarity(features: FloatArray) -> Familiarity:
    """Mean, and covariance shrunk as Ledoit and Wolf (2004) do."""
    # scikit-learn takes a second, and few commands need it.
    from sklearn.covariance import LedoitWolf

    found = LedoitWolf().fit(features.astype(np.float64))
    whitening = np.linalg.cholesky(found.precision_)
    far = np.linalg.norm((features - found.location_) @ whitening, axis=1)
    return Familiarity(
        found.location_.astype(np.float32),
        whitening.astype(np.float32),
        float(np.median(far)),
    )


def emotions(
    features: FloatArray,
    targets: NDArray[np.intp],
    speakers: NDArray[np.str_],
    n_classes: int,
) -> FloatArray:
    """Classes beside speakers, by least squares: (n_classes, n_features), sum 0.

    Both at once, as not all speakers were recorded with all classes.
    """
    labelled = targets != UNLABELLED
    names, who = np.unique(speakers[labelled], return_inverse=True)
    n = int(labelled.sum())
    design = np.zeros((n, len(names) + n_classes))
    design[np.arange(n), who] = 1
    design[np.arange(n), len(names) + targets[labelled]] = 1
    found = np.linalg.lstsq(design, features[labelled].astype(np.float64), rcond=None)
    of_classes = found[0][len(names) :]
    result: FloatArray = (of_classes - of_classes.mean(0)).astype(np.float32)
    return result
