"""`ser-stream recognize`: whole files through the same pipeline, a line a file."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.commands.progress import clear_bar, progress_bar
from ser_stream.commands.rows import FORMATS
from ser_stream.config import ListenConfig
from ser_stream.config.for_model import pipeline_config
from ser_stream.errors import SourceError
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer, Recognizer, clip_scores
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    Chunk,
    EmotionEvent,
    FloatArray,
    Phase,
    Prediction,
    StreamEvent,
)
from ser_stream.protocol.messages import milliseconds, named_scores
from ser_stream.sources.file import FileSource

_LOGGER = logging.getLogger(__name__)
MAX_STEP_S = 0.2
"""Seconds; a longer step of the configuration is meant for `listen`."""


@dataclass
class Summary:
    """What the pipeline said about one recording."""

    scores: list[FloatArray] = field(default_factory=list)
    """Of the steps with speech."""
    columns: list[int] = field(default_factory=list)
    """Of the windows of these steps."""
    segments: list[EmotionEvent] = field(default_factory=list)
    """The ends of the steady emotions."""
    speech_s: float = 0.0
    """Seconds of speech."""
    n_samples: int = 0
    """Length at 16 kHz."""
    short: bool = False
    """True where the recording was shorter than one column, and padded."""

    def whole_scores(self, temperature: float) -> FloatArray | None:
        """Scores of the whole, see `clip_scores`; None without speech."""
        if not self.scores:
            return None
        return clip_scores(np.array(self.scores), self.columns, temperature)

    def add(self, events: Sequence[StreamEvent]) -> None:
        """Take in what the pipeline returned."""
        for event in events:
            if isinstance(event, Prediction) and event.scores is not None:
                self.scores.append(event.scores)
                self.columns.append(event.columns)
            elif isinstance(event, EmotionEvent) and event.phase is Phase.END:
                self.segments.append(event)


def summarize(
    chunks: Iterator[Chunk],
    recognizer: Recognizer,
    bundle: Bundle,
    config: PipelineConfig,
) -> Summary:
    """Run one recording through a fresh pipeline."""
    pipeline = Pipeline(recognizer, bundle.front_end, config)
    summary = Summary()
    for chunk in chunks:
        summary.add(pipeline.feed(chunk))
        summary.n_samples = chunk.end
    missing = bundle.geometry.first_step - summary.n_samples
    if missing > 0:
        # Shorter than one column: silence fills it, and the line says so.
        padding = np.zeros(missing, np.float32)
        summary.add(pipeline.feed(Chunk(summary.n_samples, padding)))
        summary.short = True
    summary.add(pipeline.flush())
    summary.speech_s = pipeline.speech_s
    return summary


def read_chunks(path: Path) -> Iterator[Chunk]:
    """The chunks of a file.

    Raises:
        SourceError: if it cannot be read, wherever in it that shows.
    """
    with FileSource(path, realtime=False) as source:
        while not source.ended:
            chunk = source.read(1.0)
            if chunk is not None:
                yield chunk


def recognize(
    files: Sequence[Path], config: ListenConfig, format: str, segments: bool
) -> int:
    """Print a line for each file; return how many could not be read."""
    bundle = load_bundle(config.model)
    # With long steps a short recording might end before the second one.
    config = replace(config, step_s=min(config.step_s, MAX_STEP_S))
    settings = pipeline_config(config, bundle)
    recognizer = OnnxRecognizer(bundle)
    write_row = FORMATS[format](bundle.labels, segments)
    failed = 0
    with progress_bar(files) as bar:
        for path in bar:
            try:
                summary = summarize(read_chunks(path), recognizer, bundle, settings)
            except SourceError as error:
                failed += 1
                clear_bar()
                _LOGGER.error("%s", error)
                continue
            clear_bar()
            write_row(_result(path, summary, bundle, segments))
    return failed


def _result(
    path: Path, summary: Summary, bundle: Bundle, segments: bool
) -> dict[str, Any]:
    scores, labels = summary.whole_scores(bundle.clip_temperature), bundle.labels
    duration = summary.n_samples / SAMPLE_RATE
    result: dict[str, Any] = {
        "file": str(path),
        "label": None,
        "confidence": None,
        "scores": None,
        "speech_s": round(min(duration, summary.speech_s), 3),
        "duration_s": round(duration, 4),
    }
    if scores is not None:
        result["label"] = labels[int(scores.argmax())]
        result["confidence"] = round(float(scores.max()), 4)
        result["scores"] = named_scores(scores, labels)
    if summary.short:
        result["short"] = True
    if segments:
        result["segments"] = [
            {
                "label": segment.label,
                "start_ms": milliseconds(segment.start),
                "end_ms": milliseconds(segment.end),
                "confidence": round(segment.confidence, 4),
            }
            for segment in summary.segments
        ]
    return result
