"""M8: whether scores mean what they say, beyond what chance makes them seem not to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.calibration import N_BINS, Scores, calibration_errors
from training.evaluation.streaming.clips import ClipResult


def calibration(clips: Sequence[ClipResult]) -> dict[str, Any]:
    """Calibration of all steps, and of whole clips; clips without speech have none."""
    wholes = [(clip.whole, clip) for clip in clips]
    heard = [(whole, clip) for whole, clip in wholes if whole is not None]
    if not heard:
        return {"steps": {"n": 0}, "clips": {"n": 0}}
    truth = np.array([clip.truth for _, clip in heard])
    n_steps = [len(clip.steps) for _, clip in heard]
    steps = np.concatenate([clip.steps for _, clip in heard])
    return {
        "steps": errors(steps, np.repeat(truth, n_steps)),
        "clips": errors(np.array([whole for whole, _ in heard]), truth),
    }


def errors(scores: Scores, truth: NDArray[np.integer]) -> dict[str, Any]:
    """See `calibration_errors`; and the bins, for a picture."""
    found = calibration_errors(scores, truth, 4)
    return {"n": len(truth), **found, "bins": _bins(scores, truth)}


def _bins(scores: Scores, truth: NDArray[np.integer]) -> list[dict[str, float]]:
    order = np.argsort(scores.max(1), kind="stable")
    confidence = scores.max(1)[order]
    right = (scores.argmax(1) == truth)[order]
    return [
        {
            "confidence": round(float(confidence[rows].mean()), 4),
            "accuracy": round(float(right[rows].mean()), 4),
        }
        for rows in np.array_split(np.arange(len(order)), N_BINS)
        if len(rows)
    ]
