"""Steps of all held-out clips -> the metrics that manifest and card give."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import audmetric
import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Counts
from training.evaluation.calibration import Calibration, Scores, calibration_errors
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

    @classmethod
    def of(
        cls, clip: ClipSteps, calibration: Calibration, uncertain: float
    ) -> "ScoredClip":
        steps = calibration.steps(clip) if clip.columns else np.zeros((0, 0))
        return cls(clip, steps, calibration.whole(clip), uncertain)

    def predicted(self, n_classes: int) -> int:
        """The clip's class; `n_classes`, which is always wrong, without speech."""
        return n_classes if self.whole is None else int(self.whole.argmax())


def report(
    scored: Sequence[ScoredClip], labels: Sequence[str], uncertain: float
) -> dict[str, Any]:
    """All metrics: of the whole, by window length, and by corpus, sex and language.

    The clips, one or more, have scores and thresholds that their own labels had no part
    in; `uncertain` is the threshold of the bundle, to be named beside what it does.
    """
    found = summary(scored, labels)
    found["steps"] = {"uncertain": uncertain, **found["steps"]}
    at_columns = {str(n): _at_columns(scored, labels, n) for n in COLUMNS}
    found["columns"] = {n: row for n, row in at_columns.items() if row}
    confidence, right = outcomes(scored)
    if len(confidence):
        found["risk_coverage"] = risk_coverage(confidence, right)
    return found | {
        "corpora": by(scored, labels, "corpus"),
        "sexes": by(scored, labels, "sex"),
        "languages": by(scored, labels, "language"),
    }


def by(
    scored: Sequence[ScoredClip], labels: Sequence[str], key: str
) -> dict[str, dict[str, Any]]:
    """The `summary` of clips by an attribute of them."""
    groups: dict[str, list[ScoredClip]] = defaultdict(list)
    for one in scored:
        groups[getattr(one.clip, key)].append(one)
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
    with_speech = [one.clip.truth for one in scored if one.whole is not None]
    return {
        "n": len(scored),
        "n_speakers": len(counts.speakers),
        "n_without_speech": len(scored) - len(whole),
        **counts.described(),
        **calibration_errors(np.array(whole), np.array(with_speech), 3),
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
    with_speech = [one for one in scored if len(one.steps)]
    if not with_speech:
        return {"n": 0}
    confidence, right = outcomes(with_speech)
    n_steps = [len(one.steps) for one in with_speech]
    certain = confidence >= np.repeat([one.uncertain for one in with_speech], n_steps)
    scores = np.concatenate([one.steps for one in with_speech])
    truth = np.repeat([one.clip.truth for one in with_speech], n_steps)
    return {
        "n": len(right),
        "WAR": round(100 * float(right.mean()), 1),
        **calibration_errors(scores, truth, 3),
        "coverage": round(100 * float(certain.mean()), 1),
        "WAR_when_certain": (
            round(100 * float(right[certain].mean()), 1) if certain.any() else None
        ),
    }


def _at_columns(
    scored: Sequence[ScoredClip], labels: Sequence[str], n: int
) -> dict[str, Any]:
    """Of the first step of each clip whose window has n columns; empty without one."""
    found = [
        (one.steps[i], one.clip)
        for one in scored
        if (i := one.clip.step_with(n)) is not None
    ]
    if not found:
        return {}
    scores = np.array([step for step, _ in found])
    truth = [clip.truth for _, clip in found]
    speakers = [f"{clip.corpus}/{clip.speaker}" for _, clip in found]
    counts = Counts.of(truth, scores.argmax(1).tolist(), speakers, len(labels))
    return {
        "n": len(truth),
        **counts.described(),
        **calibration_errors(scores, np.array(truth), 3),
    }
