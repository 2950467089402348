"""Out-of-fold steps of all clips -> the metrics that manifest and card give."""

from collections.abc import Mapping, Sequence
from typing import Any

import audmetric
import numpy as np
from numpy.typing import NDArray

from ser_stream.recognizer import softmax
from training.calibrate import calibrated, expected_calibration_error
from training.evaluate import ClipSteps

COLUMNS = (1, 5, 10, 25)
"""Window lengths reported."""
N_BOOTSTRAP = 2000


def recalls(
    truth: Sequence[int], prediction: Sequence[int], labels: Sequence[str]
) -> tuple[float, float]:
    """UAR and WAR, percent."""
    indices = list(range(len(labels)))
    uar = audmetric.unweighted_average_recall(truth, prediction, indices)
    return 100 * float(uar), 100 * float(audmetric.accuracy(truth, prediction))


def uar_interval(
    truth: Sequence[int],
    prediction: Sequence[int],
    speakers: Sequence[str],
    n_classes: int,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % interval of the UAR, percent: bootstrap over speakers as clusters."""
    rng = np.random.default_rng(seed)
    t, p = np.array(truth), np.array(prediction)
    rows = [np.flatnonzero(np.array(speakers) == s) for s in sorted(set(speakers))]
    values = []
    for _ in range(N_BOOTSTRAP):
        drawn = np.concatenate(
            [rows[i] for i in rng.integers(len(rows), size=len(rows))]
        )
        values.append(
            np.mean([np.mean(p[drawn][t[drawn] == c] == c) for c in range(n_classes)])
        )
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return 100 * float(low), 100 * float(high)


def report(
    folds: Sequence[Sequence[ClipSteps]],
    temperatures_without: Sequence[Sequence[float]],
    labels: Sequence[str],
    uncertain: float,
) -> dict[str, Any]:
    """All metrics of a cross-validation.

    Args:
        folds: the held-out clips of each fold, with the logits of every step.
        temperatures_without: for each fold, temperatures fitted on the other folds,
            so that calibration too is measured on speakers it never saw.
        labels: class names.
        uncertain: threshold under which a step is called `uncertain`.
    """
    clips = [clip for fold in folds for clip in fold]
    temperature_of = {
        clip.name: temperature
        for fold, temperature in zip(folds, temperatures_without, strict=True)
        for clip in fold
    }
    truth = [clip.truth for clip in clips]
    scores = {
        clip.name: calibrated(clip, temperature_of[clip.name])
        for clip in clips
        if clip.columns
    }
    # A clip in which the gate heard no speech has no label; it counts as wrong.
    missed = len(labels)
    prediction = [
        int(scores[c.name].mean(0).argmax()) if c.name in scores else missed
        for c in clips
    ]
    heard = [i for i, clip in enumerate(clips) if clip.name in scores]
    matrix = audmetric.confusion_matrix(truth, prediction, list(range(len(labels))))
    uar, war = recalls(truth, prediction, labels)
    low, high = uar_interval(truth, prediction, [c.speaker for c in clips], len(labels))
    means = np.array([scores[clips[i].name].mean(0) for i in heard])
    ece = expected_calibration_error(means, np.array(truth)[heard])
    return {
        "n": len(clips),
        "n_without_speech": len(clips) - len(heard),
        "UAR": round(uar, 1),
        "UAR_interval": [round(low, 1), round(high, 1)],
        "WAR": round(war, 1),
        "ECE": round(ece, 3),
        "recall": {
            label: round(100 * matrix[i][i] / max(1, truth.count(i)), 1)
            for i, label in enumerate(labels)
        },
        "confusion_matrix": [[int(x) for x in row] for row in matrix],
        "columns": {
            str(n): row
            for n in COLUMNS
            if (row := _at_columns(clips, temperature_of, labels, n)) is not None
        },
        "steps": _steps(clips, scores, uncertain),
    }


def _at_columns(
    clips: Sequence[ClipSteps],
    temperature_of: Mapping[str, Sequence[float]],
    labels: Sequence[str],
    n: int,
) -> dict[str, Any] | None:
    truth, logits = [], []
    for clip in clips:
        found = clip.first_with(n)
        if found is not None:
            truth.append(clip.truth)
            logits.append(found / temperature_of[clip.name][n - 1])
    if not truth:
        return None
    scores = softmax(np.array(logits, np.float32))
    uar, war = recalls(truth, [int(i) for i in scores.argmax(1)], labels)
    ece = expected_calibration_error(scores, np.array(truth))
    return {
        "n": len(truth),
        "UAR": round(uar, 1),
        "WAR": round(war, 1),
        "ECE": round(ece, 3),
    }


def _steps(
    clips: Sequence[ClipSteps],
    scores: Mapping[str, NDArray[np.floating]],
    uncertain: float,
) -> dict[str, Any]:
    all_scores = np.concatenate([scores[c.name] for c in clips if c.name in scores])
    truth = np.concatenate(
        [np.full(len(c.columns), c.truth) for c in clips if c.name in scores]
    )
    right = all_scores.argmax(1) == truth
    certain = all_scores.max(1) >= uncertain
    return {
        "n": len(truth),
        "WAR": round(100 * float(right.mean()), 1),
        "ECE": round(expected_calibration_error(all_scores, truth), 3),
        "uncertain": uncertain,
        "coverage": round(100 * float(certain.mean()), 1),
        "WAR_when_certain": (
            round(100 * float(right[certain].mean()), 1) if certain.any() else None
        ),
    }
