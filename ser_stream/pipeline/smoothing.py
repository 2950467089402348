"""Scores of single steps -> a steady emotion with a beginning and an end.

Against flicker: a belief that each step moves a little and that outlasts a pause, two
thresholds (one to enter an emotion, a lower one to leave it), and a minimum dwell.

The belief is the forward filter of a hidden Markov model (Rabiner, Proc. IEEE 77(2),
1989): a speaker keeps an emotion and at times changes it to any other, in speech at one
rate and in silence at another. Steps overlap, so each counts as a fraction of an
independent look.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from ser_stream.errors import ConfigError
from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    EmotionEvent,
    FloatArray,
    Phase,
    Prediction,
)

UNCERTAIN = "uncertain"
"""The label of a step whose best score is under the threshold."""
LEAST_SCORE = 1e-4
"""No single step rules an emotion out."""
MOST_EVIDENCE = 10.0
"""A second; with more, products of scores leave the range of float32."""
LEAST_BELIEF = 1e-12
"""Nor do many: from zero no emotion could come back."""


@dataclass(frozen=True, slots=True)
class SmoothingConfig:
    """How much evidence an emotion needs."""

    uncertain: float = 0.4
    """A step whose best score is lower is labelled `uncertain`."""
    enter: float = 0.6
    """Belief from which an emotion may begin."""
    exit: float = 0.35
    """Belief under which it ends."""
    evidence_per_s: float = 1.0
    """Independent looks that a second of steps with full windows is worth. A shorter
    window counts less, by the square root of its columns."""
    change_per_s: float = 0.2
    """Rate at which the belief is forgotten during speech."""
    change_per_s_silent: float = 0.05
    """The same in silence: belief from before a pause is remembered."""
    dwell_s: float = 0.0
    """A label must lead for so long, in seconds, before its emotion begins."""
    update_s: float = 1.0
    """Least time between two updates of one emotion, seconds."""

    def __post_init__(self) -> None:
        for name in ("uncertain", "enter", "exit"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; allowed: a score from 0 to 1"
                )
        if self.exit > self.enter:
            raise ConfigError(
                f"exit ({self.exit}) must not be above enter ({self.enter})"
            )
        for name in ("dwell_s", "update_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; allowed: >= 0 s")
        if self.evidence_per_s > MOST_EVIDENCE:
            raise ConfigError(
                f"evidence_per_s is {self.evidence_per_s}; allowed: at most "
                f"{MOST_EVIDENCE:g}"
            )
        for name in ("evidence_per_s", "change_per_s", "change_per_s_silent"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; allowed: >= 0 a second"
                )


class Smoother:
    """Predictions -> emotion events."""

    def __init__(
        self,
        labels: tuple[str, ...],
        config: SmoothingConfig | None = None,
        geometry: Geometry = CPAC,
    ) -> None:
        self.labels = labels
        self.config = config or SmoothingConfig()
        self._geometry = geometry
        self._next_id = 1
        self._last_end_of_emotion = 0
        self._emotion: EmotionEvent | None = None
        self._updated = 0  # the end of the emotion when it was last told
        self._forget()

    def _forget(self) -> None:
        self._belief = np.full(len(self.labels), 1 / len(self.labels), np.float32)
        self._last_end: int | None = None
        self._candidate: tuple[int, int, int] | None = None  # label, start, first end

    def take_over_from(self, other: "Smoother") -> list[EmotionEvent]:
        """Go on where `other` stops, with these labels and this configuration.

        With the same labels nothing is forgotten, and the emotion goes on; otherwise it
        ends. Numbers go on in either case.
        """
        events = other.flush() if other.labels != self.labels else []
        self._next_id = other._next_id
        self._last_end_of_emotion = other._last_end_of_emotion
        if other.labels == self.labels:
            self._belief, self._last_end = other._belief, other._last_end
            self._candidate, self._emotion = other._candidate, other._emotion
            self._updated = other._updated
        return events

    def feed(self, prediction: Prediction) -> list[EmotionEvent]:
        """The events that one step causes, in order: at most an end and a start."""
        belief = self._believe(prediction)
        if prediction.scores is None:
            return self.pause()
        events = self._continue_or_end(belief, prediction)
        if self._emotion is None:
            events += self._maybe_start(belief, prediction)
        return events

    def pause(self) -> list[EmotionEvent]:
        """End the present emotion at silence; belief fades, but is kept."""
        self._candidate = None
        return self._end()

    def flush(self) -> list[EmotionEvent]:
        """End the present emotion at a gap or the end of the stream; forget it."""
        self._forget()
        return self._end()

    def _believe(self, prediction: Prediction) -> FloatArray:
        config, scores = self.config, prediction.scores
        rate = config.change_per_s_silent if scores is None else config.change_per_s
        # The first step of a stream is worth one usual step.
        last, self._last_end = self._last_end, prediction.end
        elapsed = 0.2 if last is None else (prediction.end - last) / SAMPLE_RATE
        keep = np.float32(math.exp(-rate * elapsed))
        belief = keep * self._belief + (1 - keep) / np.float32(len(self.labels))
        if scores is not None:
            size = math.sqrt(min(1.0, prediction.columns / prediction.max_columns))
            weight = np.float32(config.evidence_per_s * elapsed * size)
            belief = belief * np.maximum(scores, np.float32(LEAST_SCORE)) ** weight
            belief = np.maximum(belief / belief.sum(), np.float32(LEAST_BELIEF))
        self._belief = belief
        return belief

    def _continue_or_end(
        self, scores: FloatArray, prediction: Prediction
    ) -> list[EmotionEvent]:
        emotion = self._emotion
        best = int(scores.argmax())
        self._note_candidate(best, scores, prediction)
        if emotion is None:
            return []
        label = self.labels.index(emotion.label)
        score = float(scores[label])
        if score < self.config.exit or self._ready(best, label, prediction):
            return self._end()
        self._emotion = replace(
            emotion, phase=Phase.UPDATE, end=prediction.end, confidence=score
        )
        if prediction.end - self._updated < self.config.update_s * SAMPLE_RATE:
            return []
        self._updated = prediction.end
        return [self._emotion]

    def _note_candidate(
        self, best: int, scores: FloatArray, prediction: Prediction
    ) -> None:
        certain = float(scores[best]) >= self.config.enter
        # An uncertain step never starts an emotion.
        if not certain or prediction.label == UNCERTAIN:
            self._candidate = None
        elif self._candidate is None or self._candidate[0] != best:
            # The newest column is what made this label lead.
            start = max(prediction.start, prediction.end - self._geometry.column_length)
            self._candidate = (best, start, prediction.end)

    def _ready(self, best: int, current: int | None, prediction: Prediction) -> bool:
        return (
            best != current
            and self._candidate is not None
            and self._candidate[0] == best
            and prediction.end - self._candidate[2] >= self.config.dwell_s * SAMPLE_RATE
        )

    def _maybe_start(
        self, scores: FloatArray, prediction: Prediction
    ) -> list[EmotionEvent]:
        best = int(scores.argmax())
        if not self._ready(best, None, prediction):
            return []
        assert self._candidate is not None
        self._emotion = EmotionEvent(
            Phase.START,
            self._next_id,
            self.labels[best],
            max(self._candidate[1], self._last_end_of_emotion),
            prediction.end,
            float(scores[best]),
        )
        self._updated = prediction.end
        self._next_id += 1
        return [self._emotion]

    def _end(self) -> list[EmotionEvent]:
        emotion, self._emotion = self._emotion, None
        if emotion is None:
            return []
        self._last_end_of_emotion = emotion.end
        return [replace(emotion, phase=Phase.END)]

    @property
    def current(self) -> EmotionEvent | None:
        """The emotion that is going on now, for a late joiner."""
        emotion = self._emotion
        return None if emotion is None else replace(emotion, phase=Phase.UPDATE)
