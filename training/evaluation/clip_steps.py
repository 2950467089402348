"""A network on labelled clips, through the runtime's own pipeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer, softmax
from ser_stream.pipeline.values import Chunk, EncoderState, FloatArray
from training.corpora import Utterance
from training.corpora.utterance import read_samples

STEP_S = 0.2
"""The runtime's default step."""
LANGUAGES = {
    "cmn": "Mandarin",
    "de": "German",
    "deu": "German",
    "en": "English",
    "eng": "English",
    "zh": "Mandarin",
}
"""Codes that corpora use, to the names that others use."""


class TorchRecognizer:
    """A network in the pipeline's recogniser seat; keeps the logits of every step."""

    def __init__(self, model: Cpac, labels: tuple[str, ...]) -> None:
        self._model = model.eval()
        self._labels = labels
        self.geometry = model.config.geometry
        self.steps: list[tuple[int, FloatArray]] = []
        """Number of columns and logits of every step since the list was emptied."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions, in the order of the scores."""
        return self._labels

    @torch.no_grad()
    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        """See `Recognizer.encode`."""
        encoder = self._model.encoder
        if state is None:
            kept = [torch.zeros(shape) for shape in encoder.kept_shapes()]
        else:
            kept = [torch.from_numpy(rows) for rows in state]
        columns, *keep = encoder.step(torch.from_numpy(frames.copy())[None], *kept)
        first = self.geometry.cold_columns if state is None else 0
        return columns[0, first:].numpy(), tuple(rows.numpy() for rows in keep)

    @torch.no_grad()
    def scores(self, columns: FloatArray, /) -> FloatArray:
        """See `Recognizer.scores`; uncalibrated."""
        logits: FloatArray = self._model.head(torch.from_numpy(columns)[None])[
            0
        ].numpy()
        self.steps.append((len(columns), logits))
        return softmax(logits)


class OnnxRecorder(OnnxRecognizer):
    """A bundle in the pipeline's recogniser seat; keeps the logits of every step."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.steps: list[tuple[int, FloatArray]] = []
        """Number of columns and logits of every step since the list was emptied."""

    def scores(self, columns: FloatArray, /) -> FloatArray:
        """See `Recognizer.scores`; uncalibrated."""
        logits = self.logits(columns)
        self.steps.append((len(columns), logits))
        return softmax(logits)


@dataclass(frozen=True, slots=True)
class ClipSteps:
    """What the network said at each step of one clip."""

    name: str
    speaker: str
    truth: int
    columns: list[int]
    logits: list[list[float]]
    corpus: str = "unknown"
    sex: str = "unknown"
    language: str = "unknown"

    def step_with(self, n: int) -> int | None:
        """Index of the first step whose window has n columns, if one has."""
        return next((i for i, m in enumerate(self.columns) if m >= n), None)


def run_clips(
    recognizer: TorchRecognizer | OnnxRecorder,
    front_end: FrontEndConfig,
    utterances: Sequence[Utterance],
    step_s: float = STEP_S,
) -> Iterable[ClipSteps]:
    """Each clip as a stream of its own, as `ser-stream recognize` hears it.

    Args:
        recognizer: the network; clips of other labels are passed over.
        front_end: what it was trained on.
        utterances: clips to hear.
        step_s: time between steps, seconds.
    """
    labels, settings = recognizer.labels, PipelineConfig(step_s=step_s)
    for utterance in utterances:
        if utterance.emotion not in labels:
            continue
        samples = read_samples(utterance.path)
        missing = recognizer.geometry.first_step - len(samples)
        if missing > 0:
            samples = np.pad(samples, (0, missing))
        recognizer.steps = []
        Pipeline(recognizer, front_end, settings).feed(Chunk(0, samples))
        yield ClipSteps(
            utterance.name,
            utterance.speaker,
            labels.index(utterance.emotion),
            [n for n, _ in recognizer.steps],
            [[round(float(x), 5) for x in logits] for _, logits in recognizer.steps],
            **described(utterance),
        )


def described(utterance: Utterance) -> dict[str, str]:
    """What metrics tell apart: `corpus`, `sex` and `language` of a clip."""
    language = utterance.language.partition(" (")[0]
    return {
        "corpus": utterance.corpus,
        "sex": utterance.sex,
        "language": LANGUAGES.get(language, language) or "unknown",
    }
