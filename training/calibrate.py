"""Temperatures by window length, and how far calibration is off."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ser_stream.recognizer import softmax
from ser_stream.window import MAX_COLUMNS
from training.evaluate import ClipSteps

KNOTS = (1, 3, 5, 8, 12, 18, 25)
"""Window lengths, in columns, at which a temperature is fitted; linear in between."""


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """The temperature of least negative log-likelihood (Guo et al., ICML 2017)."""
    grid = np.geomspace(0.25, 8.0, 121)
    rows = np.arange(len(truth))
    losses = [-np.log(softmax(logits / t)[rows, truth] + 1e-12).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def temperatures(clips: Sequence[ClipSteps]) -> list[float]:
    """Temperature for windows of 1 to 25 columns, fitted on held-out clips."""
    fitted = []
    for knot in KNOTS:
        near = max(1.0, knot * 0.25)
        pairs = [
            (logits, clip.truth)
            for clip in clips
            for n, logits in zip(clip.columns, clip.logits, strict=True)
            if abs(n - knot) <= near
        ]
        fitted.append(
            fit_temperature(
                np.array([logits for logits, _ in pairs]),
                np.array([truth for _, truth in pairs]),
            )
        )
    values = np.interp(np.arange(1, MAX_COLUMNS + 1), KNOTS, fitted)
    return [round(float(value), 4) for value in values]


def expected_calibration_error(
    scores: NDArray[np.floating], truth: NDArray[np.integer], n_bins: int = 10
) -> float:
    """Mean |confidence - accuracy| over bins of equal mass, 0 to 1."""
    order = np.argsort(scores.max(1), kind="stable")
    confidence, right = scores.max(1)[order], (scores.argmax(1) == truth)[order]
    error = 0.0
    for bin_ in np.array_split(np.arange(len(order)), n_bins):
        if len(bin_):
            error += len(bin_) * abs(confidence[bin_].mean() - right[bin_].mean())
    return float(error / len(order))


def calibrated(clip: ClipSteps, temperature: Sequence[float]) -> NDArray[np.floating]:
    """Scores of every step, (n_steps, n_classes)."""
    t = np.array([temperature[n - 1] for n in clip.columns])
    result: NDArray[np.floating] = softmax(np.array(clip.logits) / t[:, None])
    return result
