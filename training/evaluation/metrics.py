"""Steps of all held-out clips -> the metrics that manifest and card give."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import audmetric
import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Counts
from training.evaluation.calibration import (
    Calibration,
    Scores,
    calibration_errors,
)
from training.evaluation.clip_steps import ClipSteps
from training.evaluation.risk_coverage import risk_coverage

COLUMNS = (1, 5, 10, 25)
"""Window lengths reported."""


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """A clip with calibrated scores, of a calibration that never saw its speaker."""

    clip: ClipSteps
    steps: Scores
    """Of every step, (n_steps, n_classes)."""
    whole: Scores | None
    """Of the clip, (n_classes,); None where the speech gate found no speech."""
    uncertain: float
    """Threshold under which its steps are called `uncertain`."""

    @classmethod
    def of(
        cls, clip: ClipSteps, calibration: Calibration, uncertain: float
    ) -> "ScoredClip":
        """Score a clip."""
        empty = np.zeros((0, 0))
        steps = calibration.steps(clip) if clip.columns else empty
        return cls(clip, steps, calibration.whole(clip), uncertain)

    def predicted(self, n_classes: int) -> int:
        """The clip's class; `n_classes`, which is always wrong, without speech."""
        return n_classes if self.whole is None else int(self.whole.argmax())


def report(
    scored: Sequence[ScoredClip], labels: Sequence[str], uncertain: float
) -> dict[str, Any]:
    """All metrics: of the whole, by window length, and by corpus, sex and language.

    Args:
        scored: clips, one or more, with scores and thresholds that their own labels
            had no part in.
        labels: class names.
        uncertain: the threshold of the bundle, to be named beside what it does.
    """
    found = summary(scored, labels)
    found["steps"] = {"uncertain": uncertain, **found["steps"]}
    found["columns"] = {
        str(n): row
        for n in COLUMNS
        if (row := _at_columns(scored, labels, n)) is not None
    }
    confidence, right = outcomes(scored)
    if len(confidence):
        found["risk_coverage"] = risk_coverage(confidence, right)
    keys: dict[str, Callable[[ClipSteps], str]] = {
        "corpora": lambda clip: clip.corpus,
        "sexes": lambda clip: clip.sex,
        "languages": lambda clip: clip.language,
    }
    for name, key in keys.items():
        found[name] = by(scored, labels, key)
    return found


def by(
    scored: Sequence[ScoredClip],
    labels: Sequence[str],
    key: Callable[[ClipSteps], str],
) -> dict[str, dict[str, Any]]:
    """The `summary` of each group of clips."""
    groups: dict[str, list[ScoredClip]] = defaultdict(list)
    for one in scored:
        groups[key(one.clip)].append(one)
    return {name: summary(groups[name], labels) for name in sorted(groups)}


def summary(scored: Sequence[ScoredClip], labels: Sequence[str]) -> dict[str, Any]:
    """Metrics of some clips, in percent; calibration errors from 0 to 1.

    A class that none of them has counts for nothing; a clip in which the speech gate
    found no speech counts as wrong.
    """
    truth = [one.clip.truth for one in scored]
    predicted = [one.predicted(len(labels)) for one in scored]
    speakers = [f"{one.clip.corpus}/{one.clip.speaker}" for one in scored]
    counts = Counts.of(truth, predicted, speakers, len(labels))
    whole = [one.whole for one in scored if one.whole is not None]
    heard = [one.clip.truth for one in scored if one.whole is not None]
    return {
        "n": len(scored),
        "n_speakers": len(counts.speakers),
        "n_without_speech": len(scored) - len(whole),
        **counts.described(),
        **_calibration(np.array(whole), np.array(heard)),
        **by_class(truth, predicted, labels),
        "steps": _steps(scored),
    }


def by_class(
    truth: Sequence[int], predicted: Sequence[int], labels: Sequence[str]
) -> dict[str, Any]:
    """`recall` of each class, percent, None of one that is not there; and confusion."""
    matrix = audmetric.confusion_matrix(truth, predicted, list(range(len(labels))))
    return {
        "recall": {
            label: round(100 * matrix[i][i] / truth.count(i), 1) if i in truth else None
            for i, label in enumerate(labels)
        },
        "confusion_matrix": [[int(x) for x in row] for row in matrix],
    }


def outcomes(
    scored: Sequence[ScoredClip],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Best score of every step, and whether its label is the clip's; two (n_steps,)."""
    confidence = [one.steps.max(1) for one in scored if len(one.steps)]
    right = [one.steps.argmax(1) == one.clip.truth for one in scored if len(one.steps)]
    if not confidence:
        return np.zeros(0), np.zeros(0, np.bool_)
    return np.concatenate(confidence).astype(np.float64), np.concatenate(right)


def _steps(scored: Sequence[ScoredClip]) -> dict[str, Any]:
    heard = [one for one in scored if len(one.steps)]
    if not heard:
        return {"n": 0}
    confidence, right = outcomes(heard)
    n_steps = [len(one.steps) for one in heard]
    certain = confidence >= np.repeat([one.uncertain for one in heard], n_steps)
    scores = np.concatenate([one.steps for one in heard])
    truth = np.repeat([one.clip.truth for one in heard], n_steps)
    return {
        "n": len(right),
        "WAR": round(100 * float(right.mean()), 1),
        **_calibration(scores, truth),
        "coverage": round(100 * float(certain.mean()), 1),
        "WAR_when_certain": (
            round(100 * float(right[certain].mean()), 1) if certain.any() else None
        ),
    }


def _at_columns(
    scored: Sequence[ScoredClip], labels: Sequence[str], n: int
) -> dict[str, Any] | None:
    """Of the first step of each clip whose window has n columns."""
    found = [
        (one.steps[i], one.clip)
        for one in scored
        if (i := one.clip.step_with(n)) is not None
    ]
    if not found:
        return None
    scores = np.array([step for step, _ in found])
    truth = [clip.truth for _, clip in found]
    speakers = [f"{clip.corpus}/{clip.speaker}" for _, clip in found]
    counts = Counts.of(truth, scores.argmax(1).tolist(), speakers, len(labels))
    return {
        "n": len(truth),
        **counts.described(),
        **_calibration(scores, np.array(truth)),
    }


def _calibration(scores: Scores, truth: NDArray[np.integer]) -> dict[str, Any]:
    """ECE, what perfect scores would show of that n, and the rest."""
    if not len(truth):
        return {"ECE": None, "ECE_perfect": None, "ECE_excess": None}
    return calibration_errors(scores, truth, 3)
