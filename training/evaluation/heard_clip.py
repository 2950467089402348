"""What a network makes of a clip, before it is told what the speaker is like."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.recognizer import clip_scores, softmax
from ser_stream.pipeline.recording import record
from ser_stream.pipeline.speaker import LEAST_COLUMNS
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.corpora.utterance import read_samples
from training.evaluation.clip_steps import TorchRecognizer
from training.evaluation.frozen_steps import remembered
from training.recipe.config import TrainConfig
from training.recipe.speaker_memory import CLIP_S


@dataclass(frozen=True, slots=True, eq=False)
class HeardClip:
    """The features of every step of a clip, (n, n_features), and its columns."""

    features: FloatArray
    columns: list[int]

    @property
    def mean(self) -> FloatArray:
        """Over the steps whose windows are long enough, or over all."""
        long = np.array(self.columns) >= LEAST_COLUMNS
        result: FloatArray = self.features[long if long.any() else ~long].mean(0)
        return result

    @torch.no_grad()
    def decide(self, model: Cpac, others: Sequence[FloatArray]) -> int:
        """The class of the clip; -1 without speech."""
        if not self.columns:
            return -1
        mean = None
        if others:
            heard = CLIP_S * torch.from_numpy(np.sum(others, axis=0))
            mean = model.head.mean_of(heard, torch.tensor(CLIP_S * len(others)))
        logits = model.head.classify(torch.from_numpy(self.features), mean).numpy()
        return int(clip_scores(softmax(logits), self.columns, 1.0).argmax())


class _FeatureRecorder(TorchRecognizer):
    """Keeps the features of every step."""

    def __init__(self, model: Cpac, labels: tuple[str, ...]) -> None:
        super().__init__(model, labels)
        self.columns: list[int] = []
        self.kept: list[FloatArray] = []

    def features(self, columns: FloatArray) -> Tensor:
        features = super().features(columns)
        self.columns.append(len(columns))
        self.kept.append(features[0].numpy())
        return features


def heard_of_clip(
    model: Cpac, config: TrainConfig, utterance: Utterance, cache: Path
) -> HeardClip:
    """One clip as a stream of its own; `run_clips` explains the `cache`."""
    recorder = _FeatureRecorder(model, config.labels)
    stream = PipelineConfig(step_s=recorder.step_s)
    with remembered(model, utterance, cache):
        record(read_samples(utterance.path), recorder, config.front_end, stream)
    shape = (len(recorder.columns), config.model.n_features)
    features = np.array(recorder.kept, np.float32).reshape(shape)
    return HeardClip(features, recorder.columns)
