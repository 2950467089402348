"""Steps with their columns -> predictions and emotions, into a recording."""

from collections.abc import Sequence

from ser_stream.pipeline.batch.steps import Step
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.prediction import silence, speech
from ser_stream.pipeline.recognizer import OnnxRecognizer, Recognizer
from ser_stream.pipeline.recording import Recording
from ser_stream.pipeline.smoothing import Smoother
from ser_stream.pipeline.speaker import Speaker
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray, Prediction, StreamEvent

Features = Sequence[FloatArray | None]
"""Of each step's window, (n_features,); None where they are not known."""


def features_of(recognizer: Recognizer, steps: Sequence[Step]) -> Features:
    """What the last layer sees of each step's window, computed together."""
    found: list[FloatArray | None] = [None] * len(steps)
    if not isinstance(recognizer, OnnxRecognizer) or (
        recognizer.window_features is None
    ):
        return found
    spoken = [(i, s.columns) for i, s in enumerate(steps) if s.columns is not None]
    features = recognizer.window_features.of([columns for _, columns in spoken])
    for (i, _), one in zip(spoken, features, strict=True):
        found[i] = one
    return found


class Scored:
    """One recording: what its steps say, which depends on those before."""

    def __init__(
        self,
        recognizer: Recognizer,
        config: PipelineConfig,
        max_columns: int,
        speaker: Speaker | None,
        recording: Recording,
    ) -> None:
        self._recognizer, self._config = recognizer, config
        self._max_columns = max_columns
        self._speaker = speaker or Speaker(config.step_s)
        self._smoother = Smoother(
            recognizer.labels, config.smoothing, recognizer.geometry
        )
        self.recording = recording

    def take(self, steps: Sequence[Step], features: Features) -> None:
        """The next steps, and what `features_of` says of them."""
        for step, known in zip(steps, features, strict=True):
            if step.paused:
                self._speaker.pause()
            prediction = self._predict(step, known)
            events: list[StreamEvent] = [prediction]
            events += self._smoother.feed(prediction)
            self.recording.take(events, step.speech_samples / SAMPLE_RATE, step.end)

    def finish(self, speech_samples: int, end: int) -> Recording:
        """The end of the recording, at sample `end`."""
        speech_s = speech_samples / SAMPLE_RATE
        self.recording.take(self._smoother.flush(), speech_s, end)
        self.recording.speech_s = speech_s
        return self.recording

    def _predict(self, step: Step, features: FloatArray | None) -> Prediction:
        if step.columns is None:
            return silence(step.start, step.end, step.level)
        n = len(step.columns)
        if features is None:
            scores = self._recognizer.scores(step.columns, self._speaker)
        else:
            assert isinstance(self._recognizer, OnnxRecognizer)
            scores = self._recognizer.scores_of(features, n, self._speaker)
        return speech(
            self._recognizer,
            scores,
            self._config.smoothing.uncertain,
            start=step.start,
            end=step.end,
            level=step.level,
            columns=n,
            max_columns=self._max_columns,
            familiarity=self._speaker.familiarity,
            speaker=step.speaker,
        )
