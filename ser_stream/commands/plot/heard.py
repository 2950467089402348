"""What is drawn of a recording: waveform, scores and emotions, from one pass."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ser_stream.commands.exports.spans import readable
from ser_stream.commands.plot.clock import clock
from ser_stream.commands.plot.envelope import Envelope
from ser_stream.commands.progress import share_bar
from ser_stream.config import ListenConfig
from ser_stream.config.for_model import pipeline_config, tell_step, tell_terms
from ser_stream.errors import ConfigError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.recording import Recording
from ser_stream.pipeline.smoothing import UNCERTAIN
from ser_stream.pipeline.values import SAMPLE_RATE, Chunk, EmotionEvent, FloatArray
from ser_stream.sources.recorded import length_of, read_chunks

MOST_COLUMNS = 2400
"""Of a waveform: more than a picture shows."""
MOST_STEPS = 600
"""Of scores; several steps become one, so that an hour can be read, and is small."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A stretch of a recording, and what a model said of it. Times are seconds."""

    name: str
    """Of the file, on one line."""
    model: str
    labels: tuple[str, ...]
    start_s: float
    end_s: float
    wave: tuple[FloatArray, FloatArray, FloatArray]
    """See `Envelope.between`."""
    edges: FloatArray
    """Where steps begin and end, (n + 1,)."""
    scores: FloatArray
    """Of each step, (n, labels), sum 1; NaN without speech."""
    uncertain: FloatArray
    """Which part of each step's speech was `uncertain`, (n,), 0 to 1."""
    emotions: list[EmotionEvent]
    """Those that can be seen, in order of time."""


def load_model(config: ListenConfig) -> Model:
    """The configured model, its step as that of `Model.recognize`.

    Raises:
        ModelError: if it cannot be used.
    """
    bundle = load_bundle(config.model)
    tell_terms(bundle)
    tell_step(config, bundle)
    settings = pipeline_config(config, bundle)
    # A short file might end before the second of longer steps.
    step_s = min(settings.step_s, bundle.step_s)
    return Model(bundle, replace(settings, step_s=step_s))


def hear(
    path: Path, model: Model, start_s: float = 0.0, end_s: float | None = None
) -> Heard:
    """Recognise a recording from its beginning, as `ser-stream recognize` does.

    Where only a stretch is drawn the model has heard what is before it, too; so that
    the picture says what `recognize` says of the file.

    Args:
        path: of the file.
        model: see `load_model`.
        start_s: where the stretch begins, seconds.
        end_s: where it ends; None for the end of the recording.

    Raises:
        ConfigError: if there is nothing in the stretch.
        SourceError: if the file cannot be read.
    """
    duration_s = length_of(path)
    end_s = duration_s if end_s is None else min(end_s, duration_s)
    if not start_s < end_s:
        raise ConfigError(
            f"there is nothing from {clock(start_s)} to {clock(end_s)} in {path}; it "
            f"is {clock(duration_s)} long; --from must be before --to, and both in it"
        )
    envelope = Envelope()
    with share_bar(round(end_s), "recognizing") as tell:

        def chunks() -> Iterator[Chunk]:
            end = 0
            for chunk in read_chunks(path):
                left = round(end_s * SAMPLE_RATE) - chunk.start
                chunk = replace(chunk, samples=chunk.samples[: max(0, left)])
                # A gap looks like silence.
                envelope.take(np.zeros(chunk.start - end, np.float32))
                envelope.take(chunk.samples)
                end = chunk.end
                tell(end / SAMPLE_RATE)
                yield chunk
                if len(chunk.samples) == left:
                    return

        recording = model.record(chunks())
    return Heard(
        readable(path.name),
        readable(model.bundle.name),
        model.labels,
        start_s,
        end_s,
        envelope.between(start_s, end_s, MOST_COLUMNS),
        *_steps(recording, start_s, end_s, len(model.labels)),
        [e for e in recording.emotions if e.end_s > start_s and e.start_s < end_s],
    )


def _steps(
    recording: Recording, start_s: float, end_s: float, n_labels: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Edges, scores and how uncertain, of the steps in a stretch.

    A step tells of what came since the one before, which is a part of its window.
    """
    ends = np.array([0.0, *(p.end_s for p in recording.predictions)])
    inside = np.flatnonzero((ends[1:] > start_s) & (ends[:-1] < end_s))
    if not len(inside):
        nothing = np.full((1, n_labels), np.nan, np.float32)
        return np.array([start_s, end_s], np.float32), nothing, np.zeros(1, np.float32)
    seen = [recording.predictions[index] for index in inside]
    scores = np.zeros((len(seen), n_labels), np.float32)
    for row, prediction in zip(scores, seen, strict=True):
        row[:] = 0.0 if prediction.scores is None else prediction.scores
    starts = np.arange(0, len(seen), -(-len(seen) // MOST_STEPS))
    spoken = np.add.reduceat([p.scores is not None for p in seen], starts, dtype=float)
    spoken[spoken == 0] = np.nan
    doubt = np.add.reduceat([p.label == UNCERTAIN for p in seen], starts, dtype=float)
    # The last step lasts to the end: nothing else is known of what comes after it.
    edges = np.append(ends[inside[starts]], max(ends[inside[-1] + 1], end_s))
    return (
        edges.astype(np.float32),
        (np.add.reduceat(scores, starts) / spoken[:, None]).astype(np.float32),
        np.nan_to_num(doubt / spoken).astype(np.float32),
    )
