"""A model for programs: whole recordings, and streams that come piece by piece."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ser_stream.errors import SourceError
from ser_stream.pipeline.batch.recorded import record_each, record_whole
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.recording import Recording, Summary, record
from ser_stream.pipeline.speaker import KnownVoice, Speaker
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    EmotionEvent,
    FloatArray,
    Gap,
    Prediction,
    SpeechWindow,
    StreamEvent,
    named,
)
from ser_stream.protocol.messages import milliseconds
from ser_stream.sources.array import ArrayInput

Event = Prediction | EmotionEvent
"""What a stream gives; `type` tells them apart."""
LEAST_STEP_S = 0.1
"""Seconds; no step is shorter."""


def runtime_config(bundle: Bundle) -> PipelineConfig:
    """The settings of `listen` without flags: the bundle's step and thresholds."""
    return PipelineConfig(step_s=bundle.step_s, smoothing=bundle.thresholds)


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """What a model says of a whole recording."""

    by_label: dict[str, float] | None
    """Calibrated probability of each label, sum 1; None without speech."""
    speech_s: float
    """Seconds of speech in it."""
    duration_s: float
    short: bool
    """Whether it was shorter than a step needs, with `open` 0.5125 s, and padded with
    silence."""
    emotions: list[EmotionEvent]
    """The steady emotions in it, each from `start_s` to `end_s`, in order of time."""

    @property
    def label(self) -> str | None:
        """The likeliest emotion; None without speech."""
        found = self.by_label
        return None if found is None else max(found, key=found.__getitem__)

    @property
    def confidence(self) -> float | None:
        """Its probability."""
        return None if self.by_label is None else max(self.by_label.values())

    def to_dict(self, segments: bool = False) -> dict[str, Any]:
        """The fields that `ser-stream recognize` prints, rounded as there.

        Args:
            segments: whether with the emotions.
        """
        scores = self.by_label and {k: round(v, 4) for k, v in self.by_label.items()}
        result: dict[str, Any] = {
            "label": self.label,
            "confidence": scores and max(scores.values()),
            "scores": scores,
            "speech_s": round(self.speech_s, 3),
            "duration_s": round(self.duration_s, 4),
        }
        if self.short:
            result["short"] = True
        if segments:
            result["segments"] = [
                {
                    "label": emotion.label,
                    "start_ms": milliseconds(emotion.start),
                    "end_ms": milliseconds(emotion.end),
                    "confidence": round(emotion.confidence, 4),
                }
                for emotion in self.emotions
            ]
        return result


_Pieces = Callable[[], Iterable[FloatArray]]
"""Samples of a recording at 16 kHz, from its beginning whenever it is called."""


def _pieces(recording: str | os.PathLike[str] | ArrayLike, rate: int) -> _Pieces:
    if isinstance(recording, str | os.PathLike):
        # A stream needs no libsndfile.
        from ser_stream.sources.file import read_pieces

        return partial(read_pieces, Path(recording))
    source = ArrayInput()
    chunks = source.feed(recording, rate), source.finish()
    parts = [chunk.samples for chunk in chunks]
    if not np.size(recording):
        raise SourceError("there are no samples in the array")
    return lambda: parts


def _until(
    errors: list[SourceError], recording: str | os.PathLike[str] | ArrayLike
) -> Iterator[FloatArray]:
    """Pieces up to what cannot be read, of which the error is noted."""
    try:
        yield from _pieces(recording, SAMPLE_RATE)()
    except SourceError as error:
        errors.append(error)


class Model:
    """A bundle with its graphs loaded; `ser_stream.load` makes one.

    Any number of streams may use it at once, also in other threads: what it knows of
    speakers is only looked at when one begins.
    """

    def __init__(self, bundle: Bundle, config: PipelineConfig | None = None) -> None:
        """Load the graphs.

        Args:
            bundle: see `load_bundle`.
            config: how often to predict, over how much, and how steady; None for the
                bundle's own step, window and thresholds.

        Raises:
            ModelError: if ONNX Runtime cannot use them.
        """
        self.bundle = bundle
        self.config = config or runtime_config(bundle)
        self.recognizer = OnnxRecognizer(bundle)
        self.known: KnownVoice | None = None
        """What every stream begins with; see `ser_stream.adaptation.known_speakers`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions, in the order of the scores."""
        return self.bundle.labels

    def stream(self) -> "Stream":
        """A new stream of audio, to be fed as it comes."""
        return Stream(self)

    def recognize(
        self,
        recording: str | os.PathLike[str] | ArrayLike,
        rate: int = SAMPLE_RATE,
    ) -> Recognition:
        """Recognise a whole recording, as `ser-stream recognize` does.

        Args:
            recording: path of a file that libsndfile reads, or samples as
                `Stream.feed` takes them.
            rate: hertz of the samples; a file says its own.

        Raises:
            SourceError: if the file cannot be read, or the samples are no audio.
        """
        pieces = _pieces(recording, rate)
        found = record_whole(pieces(), *self._settings(self._step_s), kind=Summary)
        return self._recognition(found, pieces)

    def recognize_each(
        self, recordings: Iterable[str | os.PathLike[str] | ArrayLike]
    ) -> Iterator[Recognition | SourceError]:
        """Recognise many recordings, in their order; clips in less time than alone.

        Up to 32 of them are read before the first result is given. What cannot be read
        has its error for a result, and the others go on.

        Args:
            recordings: paths, or samples at 16 kHz; see `recognize`.
        """
        read: deque[tuple[_Pieces, list[SourceError]]] = deque()

        def each() -> Iterator[Iterable[FloatArray]]:
            for recording in recordings:
                errors: list[SourceError] = []
                pieces = partial(_until, errors, recording)
                read.append((pieces, errors))
                yield pieces()

        for found in record_each(each(), *self._settings(self._step_s), kind=Summary):
            pieces, errors = read.popleft()
            result = None if errors else self._recognition(found, pieces)
            # It may have gone since it was first read.
            yield errors[0] if errors or result is None else result

    @property
    def _step_s(self) -> float:
        # With longer steps a short recording might end before the second of them.
        return min(self.config.step_s, self.bundle.step_s)

    def _recognition(self, recorded: Recording, pieces: _Pieces) -> Recognition:
        scores = recorded.scores(self.bundle.clip_temperature)
        if scores is None and recorded.speech_s and self._step_s > LEAST_STEP_S:
            # No step fell into the little speech that there is.
            recorded = record_whole(
                pieces(), *self._settings(LEAST_STEP_S), kind=Summary
            )
            scores = recorded.scores(self.bundle.clip_temperature)
        duration_s = recorded.n_samples / SAMPLE_RATE
        return Recognition(
            by_label=None if scores is None else named(scores, self.labels),
            speech_s=min(duration_s, recorded.speech_s),
            duration_s=duration_s,
            short=recorded.short,
            emotions=recorded.emotions,
        )

    def _settings(
        self, step_s: float
    ) -> tuple[OnnxRecognizer, FrontEndConfig, PipelineConfig]:
        config = replace(self.config, step_s=step_s)
        return self.recognizer, self.bundle.front_end, config

    def configured(self, config: PipelineConfig) -> "Model":
        """The same model under another configuration."""
        other = copy(self)
        other.config = config
        return other

    def pipeline(
        self, listener: Callable[[SpeechWindow], None] | None = None
    ) -> Pipeline:
        """A new pipeline with this model and its settings; see `Pipeline`."""
        return Pipeline(
            self.recognizer,
            self.bundle.front_end,
            self.config,
            listener,
            Speaker(self.config.step_s, self.known),
        )

    def record(
        self,
        samples: FloatArray | Iterable[FloatArray],
        listener: Callable[[SpeechWindow], None] | None = None,
    ) -> Recording:
        """All that is said of a recording at 16 kHz, step by step; see `record`."""
        settings = self._settings(self.config.step_s)
        if listener is None:
            return record_whole(samples, *settings)
        return record(samples, *settings, listener)


class Stream:
    """One stream of audio: the same samples give the same events, however cut.

    What comes back are `Prediction`, one for each step, and `EmotionEvent`, the steady
    emotion that starts, goes on and ends; `type` tells them apart ("prediction",
    "emotion"), `start_s` and `end_s` are seconds since the first sample. One thread at
    a time.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.reset()

    def feed(self, samples: ArrayLike, rate: int = SAMPLE_RATE) -> list[Event]:
        """Take the next samples; return what they cause, in order of time.

        Args:
            samples: any number of them, (n,) or (n, channels): floats from -1 to 1
                (what is beyond is clipped), or int16.
            rate: hertz, 1000 to 768000; the same from the first call to the last.

        Raises:
            SourceError: if rate, shape or type is not allowed or has changed, or a
                sample is NaN or infinite; the stream is as it was before.
        """
        return self._events(self._pipeline.feed(self._input.feed(samples, rate)))

    def flush(self) -> list[Event]:
        """The end of the audio: the last events. What is fed then is a new stream."""
        events = [*self._pipeline.feed(self._input.finish()), *self._pipeline.flush()]
        self.reset()
        return self._events(events)

    def reset(self) -> None:
        """Forget everything, also what has begun and would still end."""
        self._input = ArrayInput()
        self._pipeline = self._model.pipeline()

    @staticmethod
    def _events(events: Iterable[StreamEvent]) -> list[Event]:
        # There is no gap: every chunk begins where the last one ended.
        return [event for event in events if not isinstance(event, Gap)]
