"""One recording through the pipeline: everything that was said of it, and when."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import (
    Recognizer,
    clip_scores,
    tempered,
    weight_of,
)
from ser_stream.pipeline.values import (
    Chunk,
    EmotionEvent,
    FloatArray,
    Phase,
    Prediction,
    SpeechWindow,
    StreamEvent,
)


@dataclass(frozen=True, slots=True)
class Told:
    """An emotion event, and when a subscriber would get it."""

    at: int
    """Sample index: the end of the step whose work made the event. No event can be
    told earlier; the computing, some milliseconds, comes on top."""
    event: EmotionEvent


@dataclass(slots=True)
class Recording:
    """What the pipeline said about one recording."""

    n_samples: int = 0
    """Length at 16 kHz, without padding."""
    predictions: list[Prediction] = field(default_factory=list)
    """One for each step, with calibrated scores where there was speech."""
    heard_s: list[float] = field(default_factory=list)
    """Seconds of speech heard up to each prediction, by the gate."""
    told: list[Told] = field(default_factory=list)
    speakers: list[int] = field(default_factory=list)
    """Numbers of who speaks, in the order in which they were first told."""
    speech_s: float = 0.0
    """Seconds of speech in all, by the gate."""
    short: bool = False
    """Whether it is shorter than one step needs, and was padded with silence."""

    @property
    def emotions(self) -> list[EmotionEvent]:
        """The steady emotions, whole: their ends."""
        return [t.event for t in self.told if t.event.phase is Phase.END]

    def scores(self, temperature: float) -> FloatArray | None:
        """Scores of the whole, see `clip_scores`; None without speech."""
        return whole_scores(self.predictions, temperature)

    def take(self, events: Iterable[StreamEvent], heard_s: float, at: int) -> None:
        """Note what was said `at` a sample index, with so much speech heard by then."""
        for event in events:
            if isinstance(event, Prediction):
                self.predictions.append(event)
                self._note_speaker(event)
                self.heard_s.append(heard_s)
            elif isinstance(event, EmotionEvent):
                self.told.append(Told(at, event))

    def _note_speaker(self, prediction: Prediction) -> None:
        number = prediction.speaker
        if number is not None and number not in self.speakers:
            self.speakers.append(number)


@dataclass(slots=True)
class Summary(Recording):
    """The same without its steps, of which ten hours have 180,000."""

    _sum: NDArray[np.float64] | float = 0.0
    _weight: float = 0.0

    def scores(self, temperature: float) -> FloatArray | None:
        """See `Recording`."""
        if not self._weight:
            return None
        mean = np.asarray(self._sum / self._weight, np.float32)
        return tempered(mean, temperature)

    def take(self, events: Iterable[StreamEvent], heard_s: float, at: int) -> None:
        """See `Recording`."""
        for event in events:
            if isinstance(event, Prediction) and event.scores is not None:
                self._note_speaker(event)
                weight = weight_of(event.columns)
                self._sum = self._sum + weight * event.scores.astype(np.float64)
                self._weight += weight
            elif isinstance(event, EmotionEvent) and event.phase is Phase.END:
                self.told.append(Told(at, event))


def whole_scores(steps: Iterable[StreamEvent], temperature: float) -> FloatArray | None:
    """Scores of all steps with speech together, see `clip_scores`; None without."""
    spoken = [
        (p.scores, p.columns)
        for p in steps
        if isinstance(p, Prediction) and p.scores is not None
    ]
    if not spoken:
        return None
    scores, columns = zip(*spoken, strict=True)
    return clip_scores(np.array(scores), columns, temperature)


def record(
    samples: FloatArray | Iterable[FloatArray | Chunk],
    recognizer: Recognizer,
    front_end: FrontEndConfig,
    config: PipelineConfig | None = None,
    listener: Callable[[SpeechWindow], None] | None = None,
) -> Recording:
    """Run one recording through a fresh `Pipeline`, which explains the `listener`.

    The samples are mono at 16 kHz, (n,), or pieces of it one after the other, between
    which chunks may have gaps; padded with silence where it is shorter than one column.
    """
    pipeline = Pipeline(recognizer, front_end, config, listener)
    pieces = [samples] if isinstance(samples, np.ndarray) else samples
    recording = Recording()
    due = recognizer.geometry.first_step
    for chunk in _steps(pieces, due, BLOCK_LENGTH * pipeline.config.step_blocks):
        recording.take(pipeline.feed(chunk), pipeline.speech_s, chunk.end)
        recording.n_samples = chunk.end
    end = recording.n_samples
    if end < due:
        recording.short = True
        padding = Chunk(end, np.zeros(due - end, np.float32))
        end = padding.end
        recording.take(pipeline.feed(padding), pipeline.speech_s, end)
    recording.take(pipeline.flush(), pipeline.speech_s, end)
    recording.speech_s = pipeline.speech_s
    return recording


def _steps(
    pieces: Iterable[FloatArray | Chunk], due: int, step: int
) -> Iterator[Chunk]:
    # However it is cut the pipeline says the same; cut where steps fall due, it also
    # shows what it knew at each of them.
    start = 0
    for piece in pieces:
        if isinstance(piece, Chunk):
            start, samples, gap = piece.start, piece.samples, piece.gap
            due += max(0, -(-(start + 1 - due) // step)) * step
        else:
            samples, gap = piece, "overflow"
        while len(samples):
            chunk = Chunk(start, samples[: due - start], gap=gap)
            yield chunk
            samples = samples[len(chunk.samples) :]
            start = chunk.end
            if start == due:
                due += step
