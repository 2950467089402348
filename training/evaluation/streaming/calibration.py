"""M8: whether scores mean what they say, beyond what chance makes them seem not to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.calibration import Scores, bins, calibration_errors
from training.evaluation.streaming.clips import ClipResult


def calibration(clips: Sequence[ClipResult]) -> dict[str, Any]:
    """Calibration of all steps, and of whole clips; clips without speech have none."""
    with_speech = [(whole, clip) for clip in clips if (whole := clip.whole) is not None]
    if not with_speech:
        return {"steps": {"n": 0}, "clips": {"n": 0}}
    truth = np.array([clip.truth for _, clip in with_speech])
    n_steps = [len(clip.steps) for _, clip in with_speech]
    steps = np.concatenate([clip.steps for _, clip in with_speech])
    return {
        "steps": errors(steps, np.repeat(truth, n_steps)),
        "clips": errors(np.array([whole for whole, _ in with_speech]), truth),
    }


def errors(scores: Scores, truth: NDArray[np.integer]) -> dict[str, Any]:
    """See `calibration_errors`; and the bins, for a picture."""
    return {
        "n": len(truth),
        **calibration_errors(scores, truth, 4),
        "bins": [
            {
                "confidence": round(float(confidence.mean()), 4),
                "accuracy": round(float(right.mean()), 4),
            }
            for confidence, right in bins(scores, truth)
        ],
    }
