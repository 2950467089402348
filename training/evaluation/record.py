"""Samples -> everything that the runtime's own pipeline said about them, and when."""

from dataclasses import dataclass

import numpy as np

from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import Recognizer
from ser_stream.pipeline.values import (
    Chunk,
    EmotionEvent,
    FloatArray,
    Phase,
    Prediction,
    StreamEvent,
)


@dataclass(frozen=True, slots=True)
class Told:
    """An emotion event, and when a subscriber heard of it."""

    at: int
    """Sample index: the end of the step whose work made the event. No event can be
    told earlier; the computing, some milliseconds, comes on top."""
    event: EmotionEvent


@dataclass(frozen=True, slots=True)
class Recording:
    """What the pipeline said about one stream."""

    n_samples: int
    predictions: list[Prediction]
    """One for each step, with calibrated scores where there was speech."""
    heard_s: list[float]
    """Seconds of speech heard up to each prediction, by the gate."""
    told: list[Told]


def runtime_config(bundle: Bundle) -> PipelineConfig:
    """The settings of `listen` without flags: the bundle's window and thresholds."""
    return PipelineConfig(smoothing=bundle.thresholds)


def record(
    samples: FloatArray,
    recognizer: Recognizer,
    front_end: FrontEndConfig,
    config: PipelineConfig,
) -> Recording:
    """Run one stream through a fresh pipeline, step by step.

    Args:
        samples: shape (n,); padded with silence where it is shorter than one column, as
            `recognize` does.
        recognizer: gives calibrated scores.
        front_end: of the recogniser.
        config: thresholds of the gate and of the smoothing.
    """
    first = recognizer.geometry.first_step
    samples = np.pad(samples, (0, max(0, first - len(samples))))
    pipeline = Pipeline(recognizer, front_end, config)
    recording = Recording(len(samples), [], [], [])

    def keep(events: list[StreamEvent], at: int) -> None:
        for event in events:
            if isinstance(event, Prediction):
                recording.predictions.append(event)
                recording.heard_s.append(pipeline.speech_s)
            elif isinstance(event, EmotionEvent):
                recording.told.append(Told(at, event))

    # However it is cut the pipeline says the same; cut where steps fall due, it also
    # shows what it knew at each of them.
    step = BLOCK_LENGTH * config.step_blocks
    start = 0
    for end in [*range(first, len(samples), step), len(samples)]:
        keep(pipeline.feed(Chunk(start, samples[start:end])), end)
        start = end
    keep(pipeline.flush(), len(samples))
    return recording


def active_labels(recording: Recording) -> list[str | None]:
    """The emotion that a subscriber knows of after each prediction; None without."""
    result: list[str | None] = []
    told = iter(recording.told)
    following = next(told, None)
    active: str | None = None
    for prediction in recording.predictions:
        while following is not None and following.at <= prediction.end:
            ended = following.event.phase is Phase.END
            active = None if ended else following.event.label
            following = next(told, None)
        result.append(active)
    return result
