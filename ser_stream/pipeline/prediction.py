"""What a step says: scores or silence, and the level of its samples."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ser_stream.pipeline.recognizer import Recognizer
from ser_stream.pipeline.smoothing import UNCERTAIN
from ser_stream.pipeline.values import FloatArray, Prediction, SpeechState

SILENCE_DBFS = -120.0
"""What the level and the peak of digital silence are reported as."""


class BlockLevel(NamedTuple):
    """How loud a block is."""

    energy: float
    """Sum of squares of its samples, full scale 1."""
    peak: float
    """The greatest magnitude of them."""
    n: int
    """How many of them were heard."""


class Level(NamedTuple):
    """How loud a step is."""

    rms_dbfs: float
    peak_dbfs: float


def level_of(blocks: Sequence[BlockLevel]) -> Level:
    """Of the blocks of a step; at least one."""
    energy, peaks, n = zip(*blocks, strict=True)
    power, peak = sum(energy) / sum(n), max(peaks)
    return Level(
        max(SILENCE_DBFS, 10.0 * math.log10(max(power, 1e-12))),
        max(SILENCE_DBFS, 20.0 * math.log10(max(peak, 1e-6))),
    )


def silence(start: int, end: int, level: Level) -> Prediction:
    """A step without speech, or with speech too young to fill one column."""
    state = SpeechState.NO_SPEECH
    return Prediction(start, end, state, level.rms_dbfs, peak_dbfs=level.peak_dbfs)


def speech(
    recognizer: Recognizer,
    scores: FloatArray,
    uncertain: float,
    *,
    start: int,
    end: int,
    level: Level,
    columns: int,
    max_columns: int,
    familiarity: float | None,
    speaker: int | None = None,
) -> Prediction:
    """A step with speech.

    Args:
        recognizer: whose labels the scores are of.
        scores: of the window, (n_classes,).
        uncertain: the highest of them below which the step has no emotion.
        start: sample index at which the window begins.
        end: sample index at which the step fell due.
        level: of the step's samples.
        columns: of the window.
        max_columns: of the longest that there may be.
        familiarity: of the voice; see `Prediction`.
        speaker: number of who speaks, if that is known.
    """
    best = int(scores.argmax())
    certain = float(scores[best]) >= uncertain
    return Prediction(
        start=start,
        end=end,
        state=SpeechState.SPEECH,
        level_dbfs=level.rms_dbfs,
        peak_dbfs=level.peak_dbfs,
        label=recognizer.labels[best] if certain else UNCERTAIN,
        scores=scores,
        columns=columns,
        max_columns=max_columns,
        labels=recognizer.labels,
        familiarity=familiarity,
        speaker=speaker,
    )
