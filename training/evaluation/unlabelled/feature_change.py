"""What is done to features or to the last layer alone, after the speaker's mean is off.

Without gradients: statistics (a diagonal of CORAL, Sun et al. 2016), class means by
expectation and maximisation (as Emo-TTA, 2025), T3A, even priors. With them, in the
last layer alone: entropy (as Tent, Wang et al. 2021, does elsewhere) and information
maximisation (as SHOT, Liang et al. 2020). A comparison of eleven such methods on
emotions in speech found the former to be the more promising and entropy to fail (Dong,
Jia, Dang: Test-Time Adaptation for Speech Emotion Recognition, ICASSP 2026).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ser_stream.pipeline.last_layer import LastLayer
from ser_stream.pipeline.recognizer import softmax
from ser_stream.pipeline.values import FloatArray
from training.evaluation.told.backprop_free import Scorer, prior, self_training, t3a

Rows = NDArray[np.intp]
LEAST = 1e-9
KNOWN_CLIPS = 20.0
"""Clips that the training speech counts as where statistics are estimated: deviations,
and the mean of each class."""
LEAST_OF_SPEAKER = 5
"""Windows; the mean of fewer is not that of the voice."""
N_ITERATIONS = 10
N_STEPS = 100
RATE = 0.02
"""Of Adam, in units of the deviation of the weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where features of the training speech lie about their speakers."""

    emotions: FloatArray
    """Of each class, (n_classes, n_features); their sum is 0."""
    within: FloatArray
    """Windows, less what is their speaker's and their class's, (n, n_features)."""

    @staticmethod
    def of(
        emotions: FloatArray, features: FloatArray, labels: Rows, speakers: Rows
    ) -> "Source":
        """Of features, (n, n_features), their classes and speakers, (n,) each."""
        within = features - emotions[labels]
        kept = []
        for speaker in np.unique(speakers):
            own = within[speakers == speaker]
            if len(own) >= LEAST_OF_SPEAKER:
                kept.append(own - own.mean(0))
        return Source(emotions, np.concatenate(kept))

    @property
    def deviation(self) -> FloatArray:
        """Of each feature, if all classes were as frequent, (n_features,)."""
        result: FloatArray = np.sqrt(self.within.var(0) + self.emotions.var(0))
        return result


Method = Callable[[LastLayer, FloatArray, Source], Scorer]
"""Last layer, features of the clips heard less the means of their speakers, training
speech -> what scores others, centred in the same way."""


def deviation(layer: LastLayer, heard: FloatArray, source: Source) -> Scorer:
    """Every feature as spread as in the training speech."""
    n = len(heard)
    own = (n * heard.var(0) + KNOWN_CLIPS * source.deviation**2) / (n + KNOWN_CLIPS)
    scale = (source.deviation / np.sqrt(own + LEAST)).astype(np.float32)
    return lambda x: layer.logits(x * scale)


def room_mean(layer: LastLayer, heard: FloatArray, source: Source) -> Scorer:
    """The mean of all that was heard is taken off whole: nothing is shrunk."""
    left = heard.mean(0)
    return lambda x: layer.logits(x - left)


def class_means(layer: LastLayer, heard: FloatArray, source: Source) -> Scorer:
    """Gaussians of one covariance, their means moved to what is heard; and the layer.

    Begun with the training speech, whose clips keep counting as `KNOWN_CLIPS` of each
    class.
    """
    first, within = source.emotions, source.within
    covariance = within.T @ within / len(within)
    shrunk = 0.5 * covariance + 0.5 * np.diag(np.diag(covariance))
    inverse = np.linalg.inv(shrunk + 1e-6 * np.eye(len(shrunk)))

    def log_scores(x: FloatArray, means: FloatArray) -> FloatArray:
        w = means @ inverse
        gaussian = x @ w.T - 0.5 * (w * means).sum(1)
        both = _log_softmax(gaussian) + _log_softmax(layer.logits(x))
        result: FloatArray = 0.5 * both
        return result

    means = first
    for _ in range(N_ITERATIONS):
        belief = softmax(log_scores(heard, means))
        total = KNOWN_CLIPS * first + belief.T @ heard
        means = total / (KNOWN_CLIPS + belief.sum(0))[:, None]
    return lambda x: log_scores(x, means)


def entropy(layer: LastLayer, heard: FloatArray, source: Source) -> Scorer:
    """The last layer learns to be sure of each clip."""
    return _descended(layer, heard, evenly=False)


def information(layer: LastLayer, heard: FloatArray, source: Source) -> Scorer:
    """The last layer learns to be sure of each clip, and to use all classes alike."""
    return _descended(layer, heard, evenly=True)


def _descended(layer: LastLayer, heard: FloatArray, *, evenly: bool) -> Scorer:
    x = torch.from_numpy(heard.astype(np.float32))
    weight = torch.tensor(layer.weight, requires_grad=True)
    bias = torch.tensor(layer.bias, requires_grad=True)
    rate = RATE * float(layer.weight.std())
    optimizer = torch.optim.Adam([weight, bias], lr=rate)
    for _ in range(N_STEPS):
        optimizer.zero_grad()
        log_p = torch.log_softmax(x @ weight.T + bias, dim=1)
        loss = -(log_p.exp() * log_p).sum(1).mean()
        if evenly:
            mean = log_p.exp().mean(0)
            loss = loss + (mean * torch.log(mean + LEAST)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    w, b = weight.detach().numpy(), bias.detach().numpy()
    return lambda x: x @ w.T + b


def _log_softmax(logits: FloatArray) -> FloatArray:
    result: FloatArray = np.log(softmax(logits) + LEAST)
    return result


METHODS: Mapping[str, Method] = {
    "the room's mean, whole": room_mean,
    "deviations": deviation,
    "class means (EM)": class_means,
    "T3A": lambda layer, heard, source: t3a(layer, heard),
    "even priors": lambda layer, heard, source: prior(layer, heard),
    "last layer: the surer half as labels": lambda layer, heard, source: self_training(
        layer, heard
    ),
    "last layer: entropy": entropy,
    "last layer: information maximisation": information,
}
