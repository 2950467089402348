"""What a step says: scores or silence, and the level of its samples."""

import math
from collections.abc import Iterable

from ser_stream.pipeline.recognizer import Recognizer
from ser_stream.pipeline.smoothing import UNCERTAIN
from ser_stream.pipeline.values import FloatArray, Prediction, SpeechState

SILENCE_DBFS = -120.0
"""What the level of digital silence is reported as."""


def level_dbfs(blocks: Iterable[tuple[float, int]]) -> float:
    """Level of some blocks: of each the sum of squares, and the number of samples."""
    energy, n = map(sum, zip(*blocks, strict=True))
    return max(SILENCE_DBFS, 10.0 * math.log10(max(energy / n, 1e-12)))


def silence(start: int, end: int, level: float) -> Prediction:
    """A step without speech, or with speech too young to fill one column."""
    return Prediction(start, end, SpeechState.NO_SPEECH, level)


def speech(
    recognizer: Recognizer,
    scores: FloatArray,
    uncertain: float,
    *,
    start: int,
    end: int,
    level: float,
    columns: int,
    max_columns: int,
    familiarity: float | None,
) -> Prediction:
    """A step with speech.

    Args:
        recognizer: whose labels the scores are of.
        scores: of the window, (n_classes,).
        uncertain: the highest of them below which the step has no emotion.
        start: sample index at which the window begins.
        end: sample index at which the step fell due.
        level: of the step's samples, dBFS.
        columns: of the window.
        max_columns: of the longest that there may be.
        familiarity: of the voice; see `Prediction`.
    """
    best = int(scores.argmax())
    certain = float(scores[best]) >= uncertain
    return Prediction(
        start=start,
        end=end,
        state=SpeechState.SPEECH,
        level_dbfs=level,
        label=recognizer.labels[best] if certain else UNCERTAIN,
        scores=scores,
        columns=columns,
        max_columns=max_columns,
        labels=recognizer.labels,
        familiarity=familiarity,
    )
