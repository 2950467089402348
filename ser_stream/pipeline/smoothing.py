"""Scores of single steps -> a steady emotion with a beginning and an end.

Against flicker: a belief that follows the scores slowly; the lead that another emotion
must have in it over the one that is told; and windows that are too short to decide. An
emotion is held over a pause within a turn. None begins against the present step: the
step itself must say the same.

The belief is a leaky mean of the scores. On voices never heard it did as well as what
is less plain (docs/model-trials.md): the forward filter of a hidden Markov model,
evidence summed over the turn, Page's cumulative sum (Biometrika 41, 1954), a logistic
decoder.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import ConfigError
from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.values import SAMPLE_RATE, EmotionEvent, Phase, Prediction

UNCERTAIN = "uncertain"
"""The label of a step whose best score is under the threshold."""
FIRST_STEP_S = 0.2
"""What the first step of a stream counts as, seconds."""


@dataclass(frozen=True, slots=True)
class SmoothingConfig:
    """How much evidence an emotion needs."""

    uncertain: float = 0.4
    """A step whose best score is lower is labelled `uncertain`."""
    enter: float = 0.3
    """Belief from which an emotion may begin: the mean of its scores of late."""
    exit: float = 0.0
    """Belief under which it ends, though no other follows."""
    memory_s: float = 0.7
    """Time constant of the belief, seconds of speech; 0: the present step alone."""
    lead: float = 0.2
    """How far in the belief another emotion must be ahead of the one that is told; in
    the first steps of a turn, which weigh little yet, farther."""
    heard_s: float = 1.4
    """A window that is shorter, seconds, and may still grow neither begins an emotion
    nor changes it."""
    max_pause_s: float = 1.5
    """So long without scores an emotion is held, seconds; then it ends, and what was
    believed is forgotten. The speech gate closes some time after the last word."""
    update_s: float = 1.0
    """Least time between two updates of one emotion, seconds."""

    def __post_init__(self) -> None:
        for name in ("uncertain", "enter", "exit", "lead"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; allowed: a score from 0 to 1"
                )
        if self.exit > self.enter:
            raise ConfigError(
                f"exit ({self.exit}) must not be above enter ({self.enter})"
            )
        for name in ("memory_s", "heard_s", "max_pause_s", "update_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; allowed: >= 0 s")


def share_of_step(memory_s: float, elapsed_s: float) -> float:
    """How much of the belief one step replaces, 0 to 1."""
    return -math.expm1(-elapsed_s / memory_s) if memory_s else 1.0


def elapsed_s(last_end: int | None, prediction: Prediction) -> float:
    """Seconds from the step before, which ended with sample `last_end`, to this one."""
    if last_end is None:
        return FIRST_STEP_S
    return (prediction.end - last_end) / SAMPLE_RATE


def silent_to(prediction: Prediction) -> int:
    """Sample index up to which there were no scores since the step that last had some.

    Between two long steps there may be a pause that no step falls into.
    """
    return prediction.end if prediction.scores is None else prediction.start


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
        self._last_end: int | None = None
        self._last_speech = 0
        self._forget()

    def _forget(self) -> None:
        # A leaky sum of scores, and of what it should add up to: their quotient is the
        # belief, the sum is what leads. So the first steps weigh little.
        self._scores: NDArray[np.float64] = np.zeros(len(self.labels))
        self._weight = 0.0

    def take_over_from(self, other: "Smoother") -> list[EmotionEvent]:
        """Go on where `other` stops, with these labels and this configuration.

        With the same labels nothing is forgotten, and the emotion goes on; otherwise it
        ends. Numbers go on in either case.
        """
        events = other.flush() if other.labels != self.labels else []
        self._next_id = other._next_id
        self._last_end_of_emotion = other._last_end_of_emotion
        if other.labels == self.labels:
            self._scores, self._weight = other._scores, other._weight
            self._last_end, self._last_speech = other._last_end, other._last_speech
            self._emotion, self._updated = other._emotion, other._updated
        return events

    def feed(self, prediction: Prediction) -> list[EmotionEvent]:
        """The events that one step causes, in order: at most an end and a start."""
        last, self._last_end = self._last_end, prediction.end
        events = []
        if (
            silent_to(prediction) - self._last_speech
            > self.config.max_pause_s * SAMPLE_RATE
        ):
            self._forget()
            events = self._end()
        if prediction.scores is None:
            return events
        self._last_speech = prediction.end
        share = share_of_step(self.config.memory_s, elapsed_s(last, prediction))
        self._scores = self._scores + share * (prediction.scores - self._scores)
        self._weight += share * (1.0 - self._weight)
        return [*events, *self._decide(prediction)]

    def flush(self) -> list[EmotionEvent]:
        """End the present emotion at a gap or the end of the stream; forget it."""
        self._forget()
        self._last_end = None
        return self._end()

    def _decide(self, prediction: Prediction) -> list[EmotionEvent]:
        best, emotion = int(self._scores.argmax()), self._emotion
        # Never against the step itself, and never by a step that is uncertain.
        agrees = prediction.label == self.labels[best]
        heard = prediction.end - prediction.start
        full = prediction.columns >= prediction.max_columns
        agrees &= full or heard >= round(self.config.heard_s * SAMPLE_RATE)
        agrees &= self._belief(best) >= self.config.enter
        if emotion is None:
            return self._start(best, prediction) if agrees else []
        told = self.labels.index(emotion.label)
        if (
            agrees
            and best != told
            and self._scores[best] - self._scores[told] >= self.config.lead
        ):
            return [*self._end(), *self._start(best, prediction)]
        if self._belief(told) < self.config.exit:
            return self._end()
        self._emotion = replace(
            emotion,
            phase=Phase.UPDATE,
            end=prediction.end,
            confidence=self._belief(told),
            speaker=prediction.speaker or emotion.speaker,
        )
        if prediction.end - self._updated < self.config.update_s * SAMPLE_RATE:
            return []
        self._updated = prediction.end
        return [self._emotion]

    def _belief(self, label: int) -> float:
        return min(1.0, float(self._scores[label]) / self._weight)

    def _start(self, label: int, prediction: Prediction) -> list[EmotionEvent]:
        # The newest column is what made this label lead.
        start = max(prediction.start, prediction.end - self._geometry.column_length)
        self._emotion = EmotionEvent(
            Phase.START,
            self._next_id,
            self.labels[label],
            max(start, self._last_end_of_emotion),
            prediction.end,
            self._belief(label),
            prediction.speaker,
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
