"""A network on labelled clips, through the runtime's own pipeline."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.recognizer import Recognizer, softmax
from ser_stream.pipeline.recording import record
from ser_stream.pipeline.speaker import Speaker
from ser_stream.pipeline.values import EncoderState, FloatArray
from training.corpora import Utterance, load_corpora
from training.corpora.utterance import read_samples
from training.evaluation.frozen_steps import remembered
from training.recipe.config import TrainConfig
from training.recipe.frozen_columns import COLUMNS

LANGUAGES = {
    "da": "Danish",
    "cmn": "Mandarin",
    "de": "German",
    "deu": "German",
    "en": "English",
    "eng": "English",
    "zh": "Mandarin",
}
"""Codes that corpora use, to the names that others use."""


class LogitRecognizer(Recognizer, Protocol):
    """A recogniser that also tells what its scores are made of."""

    @property
    def step_s(self) -> float:
        """Seconds from one prediction to the next."""

    def logits(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        """Columns of a window, (n, 6, 64) -> logits, (n_classes,), uncalibrated."""


class TorchRecognizer:
    """A network in the pipeline's recogniser seat."""

    def __init__(
        self,
        model: Cpac,
        labels: tuple[str, ...],
        temperatures: tuple[float, ...] = (1.0,),
    ) -> None:
        """Take a network that is on the CPU, and temperatures as a bundle has them."""
        self.model = model.eval()
        self.labels = labels
        self.step_s = model.config.step_s
        self.geometry = model.config.geometry
        self._temperatures = temperatures

    @torch.no_grad()
    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        encoder = self.model.encoder
        if state is None:
            kept = [torch.zeros(shape) for shape in encoder.kept_shapes()]
        else:
            kept = [torch.from_numpy(rows) for rows in state]
        columns, *keep = encoder.step(torch.from_numpy(frames.copy())[None], *kept)
        first = self.geometry.cold_columns if state is None else 0
        return columns[0, first:].numpy(), tuple(rows.numpy() for rows in keep)

    def features(self, columns: FloatArray) -> Tensor:
        """What the classifier sees of a window, (1, n_features)."""
        features: Tensor = self.model.head.features(torch.from_numpy(columns)[None])
        return features

    @torch.no_grad()
    def logits(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        head = self.model.head
        features = self.features(columns)
        mean = None
        if speaker is not None and self.model.config.speaker_mean:
            heard = torch.from_numpy(speaker.total(features.shape[1]))[None]
            mean = head.mean_of(heard, torch.tensor([[speaker.seconds]]))
            speaker.add(features[0].numpy(), len(columns))
        logits: FloatArray = head.classify(features, mean)[0].numpy()
        return logits

    def scores(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        temperature = self._temperatures[min(len(columns), len(self._temperatures)) - 1]
        return softmax(self.logits(columns, speaker) / np.float32(temperature))


class LogitRecorder:
    """Stands before a recogniser; keeps the logits of every step."""

    def __init__(self, recognizer: LogitRecognizer) -> None:
        self._recognizer = recognizer
        self.labels, self.encode = recognizer.labels, recognizer.encode
        self.geometry = recognizer.geometry
        self.columns: list[int] = []
        """Of the window of each step."""
        self.logits: list[FloatArray] = []

    def scores(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        """Uncalibrated."""
        self.columns.append(len(columns))
        self.logits.append(self._recognizer.logits(columns, speaker))
        return softmax(self.logits[-1])


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
    recognizer: LogitRecognizer,
    front_end: FrontEndConfig,
    utterances: Sequence[Utterance],
    cache: Path = COLUMNS,
) -> Iterable[ClipSteps]:
    """Each clip as a stream of its own, as `ser-stream recognize` runs it.

    Clips of other labels than the network's are passed over. In `cache` is kept what
    a frozen encoder says.
    """
    labels = recognizer.labels
    stream = PipelineConfig(step_s=recognizer.step_s)
    for utterance in utterances:
        if utterance.emotion not in labels:
            continue
        recorder = LogitRecorder(recognizer)
        with (
            remembered(recognizer.model, utterance, cache)
            if isinstance(recognizer, TorchRecognizer)
            else nullcontext()
        ):
            record(read_samples(utterance.path), recorder, front_end, stream)
        yield ClipSteps(
            utterance.name,
            utterance.speaker,
            labels.index(utterance.emotion),
            recorder.columns,
            [[round(float(x), 5) for x in logits] for logits in recorder.logits],
            **described(utterance),
        )


def of_labels(
    utterances: Sequence[Utterance], corpus: str, labels: Sequence[str]
) -> list[Utterance]:
    """The clips of a corpus that have one of the labels.

    Raises:
        ConfigError: if there is none.
    """
    clips = [u for u in utterances if u.emotion in labels]
    if not clips:
        raise ConfigError(
            f"no clip of {corpus} has one of the labels {', '.join(labels)}"
        )
    return clips


def never_heard(
    config: TrainConfig, corpora: Path, names: Sequence[str]
) -> dict[str, list[Utterance]]:
    """The clips of the network's classes in corpora that it was not trained on.

    Raises:
        ConfigError: if it was trained on one, or one has none of the classes.
        SourceError: if one is not there.
    """
    if heard := sorted({c.name for c in config.corpora} & set(names)):
        raise ConfigError(
            f"{', '.join(heard)}: the network was trained on it; give corpora that it "
            "never heard"
        )
    return {
        name: of_labels(load_corpora(corpora, [name]), name, config.labels)
        for name in dict.fromkeys(names)
    }


def described(utterance: Utterance) -> dict[str, str]:
    """What metrics tell apart: `corpus`, `sex` and `language` of a clip."""
    language = utterance.language.partition(" (")[0]
    return {
        "corpus": utterance.corpus,
        "sex": utterance.sex,
        "language": LANGUAGES.get(language, language) or "unknown",
    }
