"""What is measured of a candidate before it is used: on its own graphs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ser_stream.adaptation.child.windows import LabelledWindows
from ser_stream.adaptation.regression_watch import entropy
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.recognizer import OnnxRecognizer, encode_window
from ser_stream.pipeline.values import FloatArray

N_BOOTSTRAP = 1000
N_BINS = 5
N_PARITY = 16
"""Windows on which graphs and network are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowScores:
    """The outputs of a version for windows: (N, n_classes) each."""

    logits: FloatArray
    scores: FloatArray
    """Calibrated, sum 1."""


def score_windows(
    recognizer: OnnxRecognizer, windows: Sequence[FloatArray]
) -> WindowScores:
    """Run both graphs on windows of frames, (8 n_i + 30, n_features), one by one."""
    logits, scores = [], []
    for frames in windows:
        columns = encode_window(recognizer, frames)
        logits.append(recognizer.logits(columns))
        scores.append(recognizer.scores(columns))
    return WindowScores(np.array(logits), np.array(scores))


@torch.no_grad()
def network_scores(
    network: Cpac, windows: Sequence[FloatArray], temperatures: Sequence[float]
) -> FloatArray:
    """Calibrated scores of a network that has no graphs at hand, (N, n_classes).

    It is put into evaluation mode. The windows are frames, (8 n_i + 30, n_features),
    the temperatures those of the bundle for windows of 1, 2, ... columns.
    """
    network.eval()
    scores = []
    for window in windows:
        n = network.config.geometry.columns_in(len(window))
        temperature = temperatures[min(n, len(temperatures)) - 1]
        logits = network(torch.from_numpy(window)[None])[0]
        scores.append(torch.softmax(logits / temperature, 0).numpy())
    return np.array(scores)


def canary_evidence(
    base: FloatArray,
    before: FloatArray,
    after: FloatArray,
    canary: LabelledWindows,
) -> dict[str, Any]:
    """How a candidate does on labelled windows of speakers it did not learn from.

    The scores, (N, n_classes) each, are as for `reservoir_evidence`.

    Returns:
        `canary_windows`; `canary_uar_base`, `_before` and `_after`, 0 to 1;
        `canary_interval`, the 95 % interval of the difference of the last two, points,
        speakers drawn as clusters; `canary_ece_base`, `_before` and `_after`.
    """
    versions = {"base": base, "before": before, "after": after}
    right = [_right(scores, canary) for scores in (before, after)]
    rng, differences = np.random.default_rng(0), []
    speakers = [np.flatnonzero(canary.speaker == s) for s in set(canary.speaker)]
    for _ in range(N_BOOTSTRAP):
        # With few speakers, windows are drawn within them too.
        drawn = np.concatenate(
            [
                rng.choice(speakers[i], len(speakers[i]))
                for i in rng.integers(len(speakers), size=len(speakers))
            ]
        )
        label = canary.label[drawn]
        differences.append(_uar(right[1][drawn], label) - _uar(right[0][drawn], label))
    return {
        "canary_windows": len(canary),
        "canary_interval": [
            round(100 * float(bound), 2)
            for bound in np.percentile(differences, [2.5, 97.5])
        ],
        **{
            f"canary_uar_{name}": unweighted_recall(scores, canary)
            for name, scores in versions.items()
        },
        **{
            f"canary_ece_{name}": _calibration_error(scores, canary)
            for name, scores in versions.items()
        },
    }


def unweighted_recall(scores: FloatArray, canary: LabelledWindows) -> float:
    """Mean of the classes' recalls on canary windows: scores, (N, n_classes)."""
    return _uar(_right(scores, canary), canary.label)


def reservoir_evidence(
    base: FloatArray, before: FloatArray, after: FloatArray
) -> dict[str, Any]:
    """How the scores of the reservoir's windows differ, (N, n_classes) each.

    `base` is of the network before any adaptation, `before` of the active version,
    `after` of the candidate.
    """
    result: dict[str, Any] = {"reservoir_windows": len(before)}
    for name, scores in (("base", base), ("before", before), ("after", after)):
        said = np.bincount(scores.argmax(1), minlength=scores.shape[1])
        result |= {
            f"reservoir_shares_{name}": [float(n) for n in said / len(scores)],
            f"reservoir_entropy_{name}": float(entropy(scores).mean()),
            f"reservoir_confidence_{name}": float(scores.max(1).mean()),
        }
    said = after.argmax(1)
    return {
        **result,
        "agreement": float((said == before.argmax(1)).mean()),
        "agreement_base": float((said == base.argmax(1)).mean()),
    }


@torch.no_grad()
def parity(model: Cpac, scores: WindowScores, windows: Sequence[FloatArray]) -> float:
    """Largest difference of logits between graphs and network on some windows."""
    model.eval()
    rows = np.linspace(0, len(windows) - 1, min(N_PARITY, len(windows))).astype(int)
    said = [model(torch.from_numpy(windows[i])[None])[0].numpy() for i in rows]
    # One maximum over all: Python's `max` ignores NaN.
    return float(np.abs(np.array(said) - scores.logits[rows]).max())


def parameter_change(before: Cpac, after: Cpac) -> float:
    """Length of the change of all learned parameters, as a part of their length."""
    pairs = list(zip(before.parameters(), after.parameters(), strict=True))
    change = sum(float((b - a).detach().square().sum()) for a, b in pairs)
    return float(
        np.sqrt(change / sum(float(a.detach().square().sum()) for a, _ in pairs))
    )


def _right(scores: FloatArray, canary: LabelledWindows) -> NDArray[np.bool_]:
    # Among the classes that the window's corpus has.
    among = np.where(canary.allowed, scores, -1.0)
    result: NDArray[np.bool_] = among.argmax(1) == canary.label
    return result


def _uar(right: NDArray[np.bool_], label: NDArray[np.int64]) -> float:
    return float(np.mean([right[label == c].mean() for c in np.unique(label)]))


def _calibration_error(scores: FloatArray, canary: LabelledWindows) -> float:
    """Mean |confidence - accuracy| over bins of equal mass."""
    right = _right(scores, canary)
    among = np.where(canary.allowed, scores, 0.0)
    confidence = among.max(1) / np.maximum(among.sum(1), 1e-12)
    error = 0.0
    for bin_ in np.array_split(np.argsort(confidence, kind="stable"), N_BINS):
        if len(bin_):
            error += len(bin_) * abs(confidence[bin_].mean() - right[bin_].mean())
    return float(error / len(confidence))
