"""M4: how soon the present window's prediction is as good as it will be."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluation.bootstrap import of_draws, rounded
from training.evaluation.streaming.clips import NONE, ClipResult, counts, uar

EARLY_S, LATE_S = 1.0, 3.0
CURVE_S = tuple(round(0.2 * i, 1) for i in range(1, 21))
"""Seconds of speech at which the curve is read."""


def early(clips: Sequence[ClipResult], n_classes: int) -> dict[str, Any]:
    """UAR at 1 s over UAR at 3 s of speech, each above chance; and the curve.

    All clips count at every time: one that is over keeps its last prediction, one that
    has none as yet is wrong. `long` is the same of the clips with 3 s of speech.
    """
    long = [c for c in clips if len(c.heard_s) and c.heard_s[-1] >= LATE_S - 0.1]
    return {
        "chance": round(100 / n_classes, 2),
        **_ratio(clips, n_classes),
        "long": _ratio(long, n_classes) if long else {"clips": 0},
        "curve": [_point(clips, n_classes, seconds) for seconds in CURVE_S],
    }


def _ratio(clips: Sequence[ClipResult], n_classes: int) -> dict[str, Any]:
    chance = 100 / n_classes
    at = {
        seconds: counts(clips, [c.predicted_at(seconds) for c in clips], n_classes)
        for seconds in (EARLY_S, LATE_S)
    }
    soon, late = (at[s].value("UAR") - chance for s in (EARLY_S, LATE_S))
    draws = {s: c.draws("UAR") - chance for s, c in at.items()}
    # No better than chance at 3 s: there is nothing to be a share of.
    sound = np.where(draws[LATE_S] > 0, draws[LATE_S], np.nan)
    interval = of_draws(draws[EARLY_S] / sound, len(at[LATE_S].speakers))
    return {
        "clips": len(clips),
        "at_1s": uar(at[EARLY_S]),
        "at_3s": uar(at[LATE_S]),
        "ratio": round(soon / late, 3) if late > 0 else None,
        "ratio_interval": rounded(interval, 3),
    }


def _point(
    clips: Sequence[ClipResult], n_classes: int, seconds: float
) -> dict[str, Any]:
    predicted = [clip.predicted_at(seconds) for clip in clips]
    said = sum(label != NONE for label in predicted) / len(clips)
    of = counts(clips, predicted, n_classes)
    return {"seconds": seconds, **uar(of), "with_prediction": round(said, 3)}
