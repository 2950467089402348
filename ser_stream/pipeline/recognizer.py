"""Frames -> encoder frames (CPAC: capsule columns) -> calibrated scores."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle
from ser_stream.pipeline.familiarity import Familiarity
from ser_stream.pipeline.geometry import Geometry
from ser_stream.pipeline.last_layer import LastLayer
from ser_stream.pipeline.many_encoder import ManyEncoder
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.speaker import LEAST_COLUMNS, Speaker
from ser_stream.pipeline.values import EncoderState, FloatArray
from ser_stream.pipeline.window_features import WindowFeatures


class Recognizer(Protocol):
    """What the pipeline asks of a model."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions, in the order of the scores."""

    @property
    def geometry(self) -> Geometry:
        """How columns lie on frames."""

    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        """Normalised frames -> the columns they complete, (n, ...); CPAC's (n, 6, 64).

        Args:
            frames: (frames_per_column n + kept_frames, n_features), of which the first
                `kept_frames` were the last ones of the call before; or without state
                (frames_per_column n + cold_frames, n_features), of which what is more
                than the columns see does not matter.
            state: what the call before returned; None at the beginning of a window.
        """

    def scores(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        """Columns of a window, (n, ...) -> probabilities, (n_classes,), sum 1.

        `speaker` is what was heard of the speaker so far, and takes in this window;
        None for a speaker not heard before. Most networks do not look at it.
        """


def encode_window(recognizer: Recognizer, frames: FloatArray) -> FloatArray:
    """Columns, (n, ...), of one window by itself: frames, as `Geometry.n_frames` says.

    Nothing was kept before it, and what a cold encoder is not to look at is zeros.
    """
    geometry = recognizer.geometry
    cold = np.pad(frames, ((geometry.cold_frames - geometry.extra_frames, 0), (0, 0)))
    columns, _ = recognizer.encode(cold.astype(np.float32), None)
    return columns


def softmax(logits: FloatArray) -> FloatArray:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def tempered(scores: FloatArray, temperature: float) -> FloatArray:
    """Probabilities made sharper by a temperature under 1, or flatter; sum 1."""
    if temperature == 1.0:
        return scores
    logits: FloatArray = np.log(np.maximum(scores, np.float32(1e-12)))
    return softmax(logits / np.float32(temperature))


def weight_of(columns: int) -> float:
    """What a step counts for in the scores of a recording; see `clip_scores`."""
    return float(columns * columns)


def clip_scores(
    steps: FloatArray, columns: Sequence[int], temperature: float
) -> FloatArray:
    """Scores of a whole recording from those of its steps.

    The mean, a step weighing the square of its window's columns: what is said of half
    a second is a guess, and every utterance begins with some. (Five folds of speakers
    of EmoDB: UAR 77.4 %; 73.4 % with all steps alike.) A mean is too timid besides, for
    which the temperature is.

    Args:
        steps: calibrated scores, (n_steps, n_classes), one step or more.
        columns: of each step's window, (n_steps,).
        temperature: of the mean; see `tempered`.
    """
    weights = [weight_of(n) for n in columns]
    mean = np.average(steps, axis=0, weights=weights)
    return tempered(mean.astype(steps.dtype), temperature)


class OnnxRecognizer:
    """A bundle's two graphs under ONNX Runtime, one thread."""

    def __init__(self, bundle: Bundle) -> None:
        self.labels = bundle.labels
        self.geometry = bundle.geometry
        self.step_s = bundle.step_s
        self._temperatures = bundle.temperatures
        self._folder = bundle.folder
        self._encoder = open_session(bundle.folder / ENCODER)
        self._head = open_session(bundle.folder / HEAD)
        # Of a network that is told of the speaker; 0 where it is not.
        told = {node.name: node.shape for node in self._head.get_inputs()}
        self._n_features = int(told["heard"][1]) if "heard" in told else 0
        found = bundle.features
        self.last_layer = None if found is None else LastLayer.read(found)
        """None where the bundle does not tell."""
        self._familiarity = None if found is None else Familiarity.read(found)
        kept = self._encoder.get_inputs()[1:]
        self._kept = [node.name for node in kept]
        self._cold = tuple(
            np.zeros([n if isinstance(n, int) else 1 for n in node.shape], np.float32)
            for node in kept
        )
        self._check_and_warm_up(bundle)

    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        kept = self._cold if state is None else state
        feed = {"frames": frames[None], **dict(zip(self._kept, kept, strict=True))}
        columns, *keep = self._encoder.run(None, feed)
        first = self.geometry.cold_columns if state is None else 0
        result: FloatArray = columns[0][first:]
        return result, tuple(keep)

    def encode_many(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        """As `encode`, but for rounding; quicker where many columns are wanted."""
        if self.many_encoder is None:
            return self.encode(frames, state)
        return self.encode_each([frames], None if state is None else [state])[0]

    def encode_each(
        self, frames: Sequence[FloatArray], states: Sequence[EncoderState] | None, /
    ) -> list[tuple[FloatArray, EncoderState]]:
        """As `encode_many` for each of several streams.

        Args:
            frames: of each, as many.
            states: of each; None at the beginning of windows.
        """
        assert self.many_encoder is not None
        if states is not None:
            return self.many_encoder.run(frames, states)
        first = self.geometry.cold_columns
        found = self.many_encoder.run(frames, [self._cold] * len(frames))
        return [(columns[first:], state) for columns, state in found]

    @cached_property
    def many_encoder(self) -> ManyEncoder | None:
        """Beside the live encoder, whose numbers stay as they were measured.

        None where there is nothing to gain, or where the graph does not allow it.
        """
        return ManyEncoder.of(self._folder / ENCODER, self._encoder, self.geometry)

    def logits(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        """Columns of a window, (n, ...) -> logits, (n_classes,), uncalibrated."""
        result: FloatArray
        feed = {"columns": columns[None]}
        if not self._n_features:
            result = self._head.run(None, feed)[0][0]
            return result
        speaker = speaker or Speaker(1.0)
        heard, heard_s = speaker.total(self._n_features), speaker.seconds
        feed["heard"] = heard[None]
        feed["heard_s"] = np.array([[heard_s]], np.float32)
        logits, features = self._head.run(None, feed)
        centred = None
        if self.last_layer is not None and speaker.taught is not None:
            centred = features[0] - self.last_layer.mean_of(heard, heard_s)
        return self._heard(speaker, features[0], len(columns), logits[0], centred)

    def _heard(
        self,
        speaker: Speaker,
        features: FloatArray,
        n_columns: int,
        logits: FloatArray,
        centred: FloatArray | None,
    ) -> FloatArray:
        """Logits with what was taught of the speaker, who takes in this window."""
        layer, of_emotion = self.last_layer, None
        if layer is not None:
            if speaker.taught is not None and centred is not None:
                logits = logits + speaker.taught @ centred
            of_emotion = layer.of_emotion(softmax(logits))
        speaker.add(features, n_columns, of_emotion)
        if self._familiarity is not None and n_columns >= LEAST_COLUMNS:
            speaker.familiarity = self._familiarity.of(features)
        return logits

    @cached_property
    def window_features(self) -> WindowFeatures | None:
        """What of the head is the same for every speaker, for many windows at once.

        None where the bundle does not hold its last layer, or where nobody is told of
        the speaker.
        """
        if not self._n_features or self.last_layer is None:
            return None
        return WindowFeatures(self._folder / HEAD, self._head)

    def scores_of(
        self, features: FloatArray, n_columns: int, speaker: Speaker, /
    ) -> FloatArray:
        """As `scores`, of a window whose features, (n_features,), are known."""
        layer = self.last_layer
        assert layer is not None, "window_features is None"
        heard, heard_s = speaker.total(self._n_features), speaker.seconds
        centred = features - layer.mean_of(heard, heard_s)
        logits = layer.logits(centred)
        logits = self._heard(speaker, features, n_columns, logits, centred)
        return self._calibrated(logits, n_columns)

    def scores_of_each(
        self,
        features: Sequence[FloatArray],
        n_columns: Sequence[int],
        speakers: Sequence[Speaker],
        /,
    ) -> list[FloatArray]:
        """As `scores_of`, of windows of several speakers, none of whom is there twice.

        Args:
            features: of each, (n_features,).
            n_columns: of each window.
            speakers: of each.
        """
        layer = self.last_layer
        assert layer is not None, "window_features is None"
        of_all = np.stack(features)
        heard = np.stack([speaker.total(self._n_features) for speaker in speakers])
        heard_s = np.array([[speaker.seconds] for speaker in speakers], np.float32)
        centred = of_all - layer.mean_of(heard, heard_s)
        logits = layer.logits(centred)
        for i, speaker in enumerate(speakers):
            if speaker.taught is not None:
                logits[i] += speaker.taught @ centred[i]
        of_emotion = layer.of_emotion(softmax(logits))
        familiar = None
        if self._familiarity is not None:
            familiar = self._familiarity.of_each(of_all)
        for i, (speaker, n) in enumerate(zip(speakers, n_columns, strict=True)):
            speaker.add(of_all[i], n, of_emotion[i])
            if familiar is not None and n >= LEAST_COLUMNS:
                speaker.familiarity = familiar[i]
        last = len(self._temperatures)
        temperatures = [self._temperatures[min(n, last) - 1] for n in n_columns]
        return list(softmax(logits / np.array(temperatures, np.float32)[:, None]))

    def _calibrated(self, logits: FloatArray, n_columns: int) -> FloatArray:
        temperature = self._temperatures[min(n_columns, len(self._temperatures)) - 1]
        return softmax(logits / np.float32(temperature))

    def scores(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        """Columns of a window, (n, ...) -> probabilities, (n_classes,), sum 1.

        Temperature scaling (Guo et al., ICML 2017), one temperature for each window
        length.
        """
        return self._calibrated(self.logits(columns, speaker), len(columns))

    def _check_and_warm_up(self, bundle: Bundle) -> None:
        # The first run of a session is slow; better now than on the first words.
        geometry, n = self.geometry, bundle.front_end.n_features
        new = 2 * geometry.frames_per_column
        try:
            columns, state = self.encode(
                np.zeros((geometry.cold_frames + new, n), np.float32), None
            )
            self.encode(np.zeros((geometry.kept_frames + new, n), np.float32), state)
            logits = self.logits(columns)
        except Exception as error:  # noqa: BLE001  whatever ONNX Runtime raises
            raise ModelError(
                f"the graphs of {bundle.folder} do not fit each other: "
                f"{str(error).splitlines()[0]}"
            ) from None
        if logits.shape != (len(self.labels),):
            raise ModelError(
                f"{bundle.folder}: the manifest names {len(self.labels)} labels, but "
                f"the graph gives {logits.shape[-1]} scores"
            )
