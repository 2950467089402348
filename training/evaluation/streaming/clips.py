"""One clip as a stream of its own: its steps, and the decision on the whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_stream.pipeline.recognizer import clip_scores
from ser_stream.pipeline.recording import Recording
from training.evaluation.bootstrap import Counts, Interval, of_draws
from training.evaluation.calibration import Scores

NONE = -1
"""The prediction where there is no speech: always wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipResult:
    """The speech steps of one clip."""

    name: str
    speaker: str
    truth: int
    steps: Scores
    """Calibrated scores, (n_steps, n_classes); no rows without speech."""
    heard_s: Scores
    """Seconds of speech up to each step, (n_steps,)."""
    columns: Sequence[int]
    """Of each step's window."""
    clip_temperature: float = 1.0

    @property
    def whole(self) -> Scores | None:
        """Scores of the clip, (n_classes,), as `recognize` gives them; or None."""
        if not len(self.steps):
            return None
        return clip_scores(self.steps, self.columns, self.clip_temperature)

    @property
    def predicted(self) -> int:
        """The clip's class, or NONE."""
        return NONE if self.whole is None else int(self.whole.argmax())

    def predicted_at(self, seconds: float) -> int:
        """The class of the last step after so much speech or less, or NONE.

        What a subscriber has at that time: the present window's, no mean over steps.
        """
        n = int(np.searchsorted(self.heard_s, seconds + 1e-6, "right"))
        return int(self.steps[n - 1].argmax()) if n else NONE


def speech_steps(
    recording: Recording, n_classes: int
) -> tuple[Scores, Scores, list[int]]:
    """The steps with speech: scores, (n, n_classes), seconds of speech, columns."""
    kept = [
        (prediction.scores, seconds, prediction.columns)
        for prediction, seconds in zip(
            recording.predictions, recording.heard_s, strict=True
        )
        if prediction.scores is not None
    ]
    scores = np.array([s for s, _, _ in kept], np.float64).reshape(-1, n_classes)
    seconds = np.array([s for _, s, _ in kept], np.float64)
    return scores, seconds, [n for _, _, n in kept]


def counts(
    clips: Sequence[ClipResult], predicted: Sequence[int], n_classes: int
) -> Counts:
    """Right and total by speaker and class, of one prediction for each clip."""
    truth = [clip.truth for clip in clips]
    return Counts.of(truth, predicted, [clip.speaker for clip in clips], n_classes)


def uar(of: Counts) -> dict[str, Any]:
    """The UAR, percent, and its 95 % interval over speakers."""
    return {
        "UAR": round(of.value("UAR"), 2),
        "UAR_interval": bounds(of.interval("UAR")),
    }


def lost(clean: Counts, now: Counts) -> dict[str, Any]:
    """The UAR under a condition, and what of it was lost, on the same clips."""
    # The same seed draws the same speakers for both, so the draws are pairs.
    draws = clean.draws("UAR") - now.draws("UAR")
    return {
        **uar(now),
        "lost": round(clean.value("UAR") - now.value("UAR"), 2),
        "lost_interval": bounds(of_draws(draws, len(now.speakers))),
    }


def bounds(interval: Interval | None, digits: int = 2) -> list[float] | None:
    """For JSON; None where there is one speaker alone."""
    if interval is None:
        return None
    return [round(interval.low, digits), round(interval.high, digits)]
