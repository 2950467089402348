"""A network's last layer, and what examples of a speaker's emotions change in it.

A dozen examples cannot teach a network to hear, but they can say which of the
directions that it hears mean what on this voice. So their features, less the mean of
the speaker, move the weights of the classes that were taught, by ridge regression on
what the classifier gets wrong of them.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import ModelError
from ser_stream.pipeline.values import FloatArray

SHRINK_S = 12.5
"""Seconds of speech that the mean of unknown voices counts as in that of a speaker: as
much as five clips."""
SHARE = 0.5
"""Of what the emotion does to the features, as much is taken off a speaker's mean."""
RIDGE = 3.0
"""How much the examples are mistrusted, in units of their mean energy."""
GAIN = 4.0
"""What is wrong is a difference of probabilities; logits are to move farther."""


@dataclass(frozen=True, slots=True, eq=False)
class LastLayer:
    """logits = weight (features - mean of the speaker) + bias."""

    mean: FloatArray
    """Of unknown voices, (n_features,)."""
    weight: FloatArray
    """(n_classes, n_features)."""
    bias: FloatArray
    """(n_classes,)."""
    emotions: FloatArray | None = None
    """How the features of each class lie about those of its speaker, (n_classes,
    n_features); their sum is 0. None where nobody measured it."""

    @staticmethod
    def read(path: Path) -> "LastLayer":
        """Read the file `features.npz` of a bundle.

        Raises:
            ModelError: if it is none.
        """
        try:
            # From memory: numpy leaves a file open that turns out to be none.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                layer = LastLayer(
                    file["mean"], file["weight"], file["bias"], file.get("emotions")
                )
            n_classes, n_features = layer.weight.shape
            if (layer.mean.shape, layer.bias.shape) != ((n_features,), (n_classes,)):
                raise ValueError
            if layer.emotions is not None and (
                layer.emotions.shape != layer.weight.shape
            ):
                raise ValueError
        except Exception:  # noqa: BLE001  zipfile, zlib and numpy raise many
            raise ModelError(f"{path} does not hold a last layer") from None
        return layer

    def mean_of(self, heard: FloatArray, heard_s: float | FloatArray) -> FloatArray:
        """A speaker's mean, (n_features,), shrunk towards that of unknown voices.

        Args:
            heard: sum of features, each times the seconds it stands for,
                (n_features,); of many speakers (n, n_features).
            heard_s: how many seconds that was; of many (n, 1).
        """
        surplus = (heard - heard_s * self.mean) / (heard_s + SHRINK_S)
        result: FloatArray = (self.mean + surplus).astype(np.float32)
        return result

    def of_emotion(self, scores: FloatArray) -> FloatArray:
        """What of the features is for the emotion and not the voice, (..., n_features).

        Taken off what was heard, neutral speech alone no longer makes neutral the
        centre. Half of it is, as scores are wrong at times, and classes lie otherwise
        in every voice (docs/speakers.md).

        Args:
            scores: of the classes, (..., n_classes).
        """
        if self.emotions is None:
            return np.zeros((*scores.shape[:-1], len(self.mean)), np.float32)
        half = (SHARE * scores).astype(np.float32)
        result: FloatArray = half @ self.emotions
        return result

    def logits(self, centred: FloatArray) -> FloatArray:
        """Features less the speaker's mean, (n, n_features) -> (n, n_classes)."""
        result: FloatArray = centred @ self.weight.T + self.bias
        return result


def taught(
    layer: LastLayer, centred: FloatArray, targets: NDArray[np.intp]
) -> FloatArray | None:
    """What examples add to the weights, (n_classes, n_features).

    Only the classes of the examples move, and only against each other: of the others
    nothing was said. So from examples of one class nothing is learnt.

    Args:
        layer: of the network.
        centred: features of the examples less the speaker's mean, (n, n_features).
        targets: their classes, (n,).

    Returns:
        None if there are fewer than two classes, or if each example is recognised less
        often by what the others teach than without: then they contradict each other.
    """
    if len(np.unique(targets)) < 2:
        return None
    rights = [_is_right(layer, centred, targets, i) for i in range(len(targets))]
    before, after = np.sum(rights, axis=0)
    if after < before:
        return None
    return change(layer, centred, targets)


def change(
    layer: LastLayer, centred: FloatArray, targets: NDArray[np.intp]
) -> FloatArray:
    """What examples add to the weights, whether or not they contradict each other."""
    x = centred.astype(np.float64)
    among = np.unique(targets)
    logits = layer.logits(centred)[:, among].astype(np.float64)
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    wrong = np.zeros((len(x), len(layer.bias)))
    wrong[:, among] = (targets[:, None] == among) - probabilities
    gram = x @ x.T
    energy = np.trace(gram) / len(x)
    held = gram + RIDGE * max(energy, 1e-12) * np.eye(len(x))
    result: FloatArray = (GAIN * np.linalg.solve(held, wrong).T @ x).astype(np.float32)
    return result


def _is_right(
    layer: LastLayer, centred: FloatArray, targets: NDArray[np.intp], i: int
) -> tuple[bool, bool]:
    """Whether example `i` is recognised among what was taught: before, and after."""
    others = np.arange(len(targets)) != i
    among = np.unique(targets)
    logits = layer.logits(centred[i : i + 1])[0]
    moved = logits + change(layer, centred[others], targets[others]) @ centred[i]
    before, after = (among[each[among].argmax()] for each in (logits, moved))
    return bool(before == targets[i]), bool(after == targets[i])
