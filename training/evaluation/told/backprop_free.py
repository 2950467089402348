"""What others do without labels and without gradients, after the speaker's mean is off.

Each takes the features of clips that were heard, less their mean, and returns how it
scores others: (n, n_features) -> (n, n_classes).
"""

from collections.abc import Callable, Mapping

import numpy as np

from ser_stream.pipeline.last_layer import LastLayer, change
from ser_stream.pipeline.recognizer import softmax
from ser_stream.pipeline.values import FloatArray

Scorer = Callable[[FloatArray], FloatArray]
Method = Callable[[LastLayer, FloatArray], Scorer]
N_SUPPORTS = 20
"""Of each class, as many as T3A keeps on most benchmarks."""
N_NEIGHBOURS, N_ITERATIONS = 5, 30
LEAST = 1e-9


def mean_alone(layer: LastLayer, heard: FloatArray) -> Scorer:
    """Nothing more than the mean."""
    return layer.logits


def t3a(layer: LastLayer, heard: FloatArray) -> Scorer:
    """Prototypes of the surest clips of each class (Iwasawa and Matsuo, 2021)."""
    scores = softmax(layer.logits(heard))
    said, entropy = scores.argmax(1), -(scores * np.log(scores + LEAST)).sum(1)
    rows = []
    for i, weight in enumerate(layer.weight):
        of_class = np.flatnonzero(said == i)
        surest = of_class[np.argsort(entropy[of_class])[:N_SUPPORTS]]
        rows.append(_unit(np.vstack([weight, heard[surest]])).mean(0))
    prototypes = _unit(np.array(rows))
    return lambda x: _unit(x) @ prototypes.T


def prior(layer: LastLayer, heard: FloatArray) -> Scorer:
    """Classes that are told often weigh less, as if all were as frequent."""
    often = softmax(layer.logits(heard)).mean(0)
    return lambda x: layer.logits(x) - np.log(often + LEAST)


def lame(layer: LastLayer, heard: FloatArray) -> Scorer:
    """Neighbours are to be told alike, on the scored clips (Boudiaf et al., 2022)."""

    def score(x: FloatArray) -> FloatArray:
        log_scores = np.log(softmax(layer.logits(x)) + LEAST)
        alike = _unit(x) @ _unit(x).T
        np.fill_diagonal(alike, -np.inf)
        near = np.zeros_like(alike)
        rows = np.argsort(-alike, axis=1)[:, :N_NEIGHBOURS]
        np.put_along_axis(near, rows, 1.0, axis=1)
        near = (near + near.T) / 2
        found = softmax(log_scores)
        for _ in range(N_ITERATIONS):
            found = softmax(log_scores + near @ found)
        return found

    return score


def self_training(layer: LastLayer, heard: FloatArray) -> Scorer:
    """The surer half of the clips as examples of what the network calls them."""
    scores = softmax(layer.logits(heard))
    surer = np.argsort(-scores.max(1))[: len(heard) // 2]
    moved = change(layer, heard[surer], scores[surer].argmax(1))
    return lambda x: layer.logits(x) + x @ moved.T


METHODS: Mapping[str, Method] = {
    "the mean alone": mean_alone,
    "and T3A": t3a,
    "and even priors": prior,
    "and LAME": lame,
    "and self-training": self_training,
}


def _unit(x: FloatArray) -> FloatArray:
    result: FloatArray = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return result
