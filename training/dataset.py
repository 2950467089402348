"""Utterances in memory -> batches of windows, balanced over the classes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ser_stream.errors import SourceError
from ser_stream.values import FloatArray
from training.augment import WindowMaker
from training.config import TrainConfig
from training.corpora import Utterance
from training.corpora.utterance import read_samples


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step of training sees."""

    frames: Tensor
    """(B, 8 n + 30, 39), the same n for the whole batch."""
    targets: Tensor
    """(B,), class indices."""
    allowed: Tensor
    """(B, n_classes), False where the corpus has no say about the class."""


def load_noises(folder: Path) -> list[FloatArray]:
    """Noise recordings without voice; empty where the folder is absent."""
    if not folder.is_dir():
        return []
    return [
        read_samples(path)
        for path in sorted(folder.glob("*.flac"))
        # Two recordings of human voices that are no speech stay out.
        if not path.stem.startswith(("man_imitating", "baby_cry"))
    ]


class TrainingSet:
    """The training clips of one run."""

    def __init__(self, utterances: Sequence[Utterance], config: TrainConfig) -> None:
        self.config = config
        self.utterances = [u for u in utterances if u.emotion in config.labels]
        if not self.utterances:
            raise SourceError(
                f"no clip has one of the labels {', '.join(config.labels)}"
            )
        self.samples = [read_samples(u.path) for u in self.utterances]
        self.targets = np.array(
            [config.labels.index(u.emotion) for u in self.utterances]
        )
        only = {c.name: c.only or config.labels for c in config.corpora}
        self.allowed = np.array(
            [
                [label in only[u.corpus] for label in config.labels]
                for u in self.utterances
            ]
        )
        speakers: dict[tuple[str, str], list[int]] = defaultdict(list)
        for i, u in enumerate(self.utterances):
            speakers[u.corpus, u.speaker].append(i)
        self._same_speaker = [speakers[u.corpus, u.speaker] for u in self.utterances]
        self._weights = self._balanced()

    def _balanced(self) -> np.ndarray:
        # Within a corpus every class weighs the same.
        weights = np.zeros(len(self.utterances))
        for corpus in self.config.corpora:
            of_corpus = np.array([u.corpus == corpus.name for u in self.utterances])
            n_classes = len(set(self.targets[of_corpus]))
            for target in set(self.targets[of_corpus]):
                rows = of_corpus & (self.targets == target)
                weights[rows] = of_corpus.sum() * corpus.weight / n_classes / rows.sum()
        weights /= weights.sum()
        return weights

    def statistics(self, maker: WindowMaker, n: int = 400) -> tuple[FloatArray, ...]:
        """Mean and deviation over frames of `n` augmented windows, each (39,)."""
        frames = np.concatenate(
            [self._window(maker, i, 15) for i in maker.rng.integers(len(self), size=n)]
        )
        return frames.mean(0), frames.std(0) + np.float32(1e-3)

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def n_batches(self) -> int:
        """Batches in an epoch."""
        return max(1, round(len(self) / self.config.batch_size))

    def _window(self, maker: WindowMaker, i: int, n: int) -> FloatArray:
        other = self._same_speaker[i][maker.rng.integers(len(self._same_speaker[i]))]
        return maker.window(self.samples[i], self.samples[other], n)

    def batches(self, maker: WindowMaker, mean: FloatArray) -> Iterator[Batch]:
        """One epoch; each batch has its own window length."""
        rng = maker.rng
        size = self.config.batch_size
        for _ in range(self.n_batches):
            rows = rng.choice(len(self), size=size, p=self._weights)
            n = draw_columns(rng, self.config.max_columns)
            frames = np.stack(
                [maker.masked(self._window(maker, i, n), mean) for i in rows]
            )
            yield Batch(
                torch.from_numpy(frames),
                torch.from_numpy(self.targets[rows]),
                torch.from_numpy(self.allowed[rows]),
            )


def draw_columns(rng: np.random.Generator, most: int) -> int:
    """Window length: half the batches nearly full, the rest over all lengths."""
    if rng.random() < 0.5:
        return int(rng.integers(max(1, most * 3 // 4), most + 1))
    return int(rng.integers(1, most + 1))
