"""A trained network and its clips -> where the features of its training speech lie."""

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ser_stream.nn.cpac import Cpac
from ser_stream.nn.whisper import WhisperEncoder
from ser_stream.pipeline.familiarity import Familiarity
from ser_stream.pipeline.speaker import LEAST_COLUMNS
from ser_stream.pipeline.values import FloatArray
from training.corpora import load_corpora
from training.engine.checkpoint import load_checkpoint
from training.recipe.dataset import TrainingSet
from training.recipe.model import build_model
from training.recipe.train import TrainOptions, training_set

N_WINDOWS = 4000
"""Some twenty for each feature."""


def familiarity(
    checkpoint: Path, corpora: Path, options: TrainOptions, seed: int = 0
) -> Familiarity:
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
    features = training_features(model, data, seed, progress=options.progress)
    return fitted(features)


@torch.no_grad()
def training_features(
    model: Cpac, data: TrainingSet, seed: int, n: int = N_WINDOWS, *, progress: bool
) -> FloatArray:
    """Features of windows that are long enough, (n or more, n_features)."""
    encoder = model.encoder
    encode = encoder.project if isinstance(encoder, WhisperEncoder) else encoder
    maker = data.maker(np.random.default_rng(seed))
    found: list[FloatArray] = []
    with tqdm(total=n, desc="familiar", unit="window", disable=not progress) as bar:
        while bar.n < n:
            for batch in data.batches(maker, encoder.mean.numpy()):
                columns = encode(batch.frames)
                if columns.shape[1] < LEAST_COLUMNS:
                    continue
                found.append(model.head.features(columns).numpy())
                bar.update(len(found[-1]))
                if bar.n >= n:
                    break
    return np.concatenate(found)


def fitted(features: FloatArray) -> Familiarity:
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
