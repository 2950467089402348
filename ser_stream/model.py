"""A model for programs: whole recordings, and streams that come piece by piece."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ser_stream.errors import MissingLibraryError, SourceError
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.recording import Recording, Summary, record
from ser_stream.pipeline.speaker import KnownVoice, Speaker
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    Chunk,
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
from ser_stream.sources.rereadable import GapError, RecordingSource, source_of

if TYPE_CHECKING:
    import pandas as pd

    from ser_stream.sources.decoders import Damage
    from ser_stream.sources.recorded import Wanted

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
    damage: "Damage | None" = None
    """Why it is less than it should be; None if nothing is known to be missing."""
    speakers: tuple[int, ...] | None = None
    """Numbers of who speaks, in the order in which they were first told; None where
    that was not asked for."""

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
        if self.damage is not None:
            result[self.damage.kind] = True
        if self.speakers is not None:
            result["speakers"] = list(self.speakers)
        if segments:
            result["segments"] = [self._segment(emotion) for emotion in self.emotions]
        return result

    def _segment(self, emotion: EmotionEvent) -> dict[str, Any]:
        speaker = {} if self.speakers is None else {"speaker": emotion.speaker}
        return {
            "label": emotion.label,
            "start_ms": milliseconds(emotion.start),
            "end_ms": milliseconds(emotion.end),
            "confidence": round(emotion.confidence, 4),
            **speaker,
        }


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
        *,
        wanted: "Wanted | None" = None,
        progress: Callable[[float], None] | None = None,
    ) -> Recognition:
        """Recognise a whole recording, as `ser-stream recognize` does.

        Args:
            recording: path of a file of any container that is known, or samples as
                `Stream.feed` takes them.
            rate: hertz of the samples; a file says its own.
            wanted: of a file: which channel, and what samples without a header are;
                None for the mean of all channels.
            progress: told how much of a file was read, 0 to 1, now and then.

        Raises:
            SourceError: if nothing of the file can be heard, or the samples are no
                audio.
        """
        # Here and below: a daemon has a model too, and no recording.
        from ser_stream.pipeline.batch.record import record_whole

        source = source_of(recording, rate, wanted, progress)
        try:
            found = record_whole(
                source.pieces(), *self._settings(self._step_s), kind=Summary
            )
        except GapError:
            found = self._live(source, self._step_s)
        return self._recognition(found, source)

    def recognize_each(
        self,
        recordings: Iterable[str | os.PathLike[str] | ArrayLike],
        *,
        wanted: "Wanted | None" = None,
        progress: Callable[[int, float], None] | None = None,
    ) -> Iterator[Recognition | SourceError]:
        """Recognise many recordings, in their order; clips in less time than alone.

        Up to 16 of them are read before the first result is given. What cannot be read
        has its error for a result, and the others go on.

        Args:
            recordings: paths, or samples at 16 kHz; see `recognize`.
            wanted: of all of them; see `recognize`.
            progress: told how many were read before, and how much of the present one.
        """
        from ser_stream.pipeline.batch.record import record_each

        read: deque[RecordingSource] = deque()

        def each() -> Iterator[Iterable[FloatArray]]:
            for n, recording in enumerate(recordings):
                tell = partial(progress, n) if progress is not None else None
                source = source_of(recording, SAMPLE_RATE, wanted, tell)
                read.append(source)
                yield source.pieces_until_error()

        for found in record_each(each(), *self._settings(self._step_s), kind=Summary):
            source = read.popleft()
            try:
                if isinstance(source.error, GapError):
                    found = self._live(source, self._step_s)
                elif source.error is not None:
                    raise source.error
                yield self._recognition(found, source)
            except SourceError as error:
                yield error

    @property
    def _step_s(self) -> float:
        # With longer steps a short recording might end before the second of them.
        return min(self.config.step_s, self.bundle.step_s)

    def _recognition(self, found: Recording, source: RecordingSource) -> Recognition:
        scores = found.scores(self.bundle.clip_temperature)
        if scores is None and found.speech_s and self._step_s > LEAST_STEP_S:
            # No step fell into the little speech that there is.
            found = self._live(source, LEAST_STEP_S)
            scores = found.scores(self.bundle.clip_temperature)
        duration_s = found.n_samples / SAMPLE_RATE
        return Recognition(
            by_label=None if scores is None else named(scores, self.labels),
            speech_s=min(duration_s, found.speech_s),
            duration_s=duration_s,
            short=found.short,
            emotions=found.emotions,
            damage=source.damage,
            speakers=tuple(found.speakers) if self.config.most_speakers else None,
        )

    def _live(self, source: RecordingSource, step_s: float) -> Recording:
        """As a stream would: it knows of gaps, too."""
        return record(source.chunks(), *self._settings(step_s))

    def _settings(
        self, step_s: float
    ) -> tuple[OnnxRecognizer, FrontEndConfig, PipelineConfig]:
        config = replace(self.config, step_s=step_s)
        return self.recognizer, self.bundle.front_end, config

    def recognize_frame(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        segments: bool = False,
    ) -> "pd.DataFrame":
        """Recognise many recordings, into a table of pandas.

        Its index is that of audformat: `file`, as the paths were given; with
        `segments`, (`file`, `start`, `end`), times as `Timedelta`. Columns are `label`,
        `confidence`, one for the score of each label, `speech_s`, `duration_s`,
        `short`, `cut`, `damaged` and `error`; with `segments` `label`, `confidence` and
        `error`. What there is no value for is NA, as the label without speech.

        A file that cannot be read has a row too, in which only `error` says why: one
        bad file of a thousand does not lose the others.

        Args:
            paths: of recordings; one, or any number.
            segments: a row for each emotion, instead of one for each file.

        Raises:
            MissingLibraryError: if pandas is not installed; the extra `frame` has it.
        """
        try:
            from ser_stream.pipeline.data_frame import by_file, by_segment
        except ImportError as error:
            raise MissingLibraryError(
                f"recognize_frame needs pandas ({error}); "
                'pip install "ser-stream[frame]"'
            ) from error
        if isinstance(paths, str | os.PathLike):
            paths = [paths]
        names = [os.fspath(path) for path in paths]
        rows: list[dict[str, Any]] = []
        for name, result in zip(names, self.recognize_each(names), strict=True):
            if isinstance(result, SourceError):
                rows.append({"file": name, "error": str(result)})
            else:
                rows.append({"file": name, **result.to_dict(segments)})
        return by_segment(rows) if segments else by_file(rows, self.labels)

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
        samples: FloatArray | Iterable[FloatArray | Chunk],
        listener: Callable[[SpeechWindow], None] | None = None,
    ) -> Recording:
        """All that is said of a recording at 16 kHz, step by step; see `record`."""
        return record(samples, *self._settings(self.config.step_s), listener)


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
