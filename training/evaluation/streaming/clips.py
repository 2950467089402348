"""One clip as a stream of its own: its steps, and the decision on the whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_stream.pipeline.recognizer import clip_scores
from ser_stream.pipeline.recording import Recording
from training.corpora import Utterance
from training.evaluation.bootstrap import Counts, of_draws, rounded
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

    @classmethod
    def of(
        cls,
        clip: Utterance,
        recording: Recording,
        labels: Sequence[str],
        clip_temperature: float,
    ) -> "ClipResult":
        """What a recording of the clip alone has to say of it."""
        kept = [
            (prediction, seconds)
            for prediction, seconds in zip(
                recording.predictions, recording.heard_s, strict=True
            )
            if prediction.scores is not None
        ]
        scores = np.array([p.scores for p, _ in kept], np.float64)
        return cls(
            clip.name,
            clip.speaker,
            labels.index(clip.emotion),
            scores.reshape(-1, len(labels)),
            np.array([seconds for _, seconds in kept], np.float64),
            [p.columns for p, _ in kept],
            clip_temperature,
        )

    @property
    def whole(self) -> Scores | None:
        """Scores of the clip, (n_classes,), as `recognize` gives them; or None."""
        if not len(self.steps):
            return None
        return clip_scores(self.steps, self.columns, self.clip_temperature)

    @property
    def predicted(self) -> int:
        return NONE if self.whole is None else int(self.whole.argmax())

    def predicted_at(self, seconds: float) -> int:
        """The class of the last step after so much speech or less, or NONE.

        What a subscriber has at that time: the present window's, no mean over steps.
        """
        n = int(np.searchsorted(self.heard_s, seconds + 1e-6, "right"))
        return int(self.steps[n - 1].argmax()) if n else NONE


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
        "UAR_interval": rounded(of.interval("UAR")),
    }


def lost(clean: Counts, now: Counts) -> dict[str, Any]:
    """The UAR under a condition, and what of it was lost, on the same clips."""
    # The same seed draws the same speakers for both, so the draws are pairs.
    draws = clean.draws("UAR") - now.draws("UAR")
    return {
        **uar(now),
        "lost": round(clean.value("UAR") - now.value("UAR"), 2),
        "lost_interval": rounded(of_draws(draws, len(now.speakers))),
    }
