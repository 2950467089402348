"""Utterances in memory -> batches of windows, balanced over classes and speakers."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ser_stream.errors import SourceError
from ser_stream.nn.masked import UNLABELLED
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.recipe.config import TrainConfig
from training.recipe.spectrogram_augment import NoiseSpectra, WindowMaker
from training.recipe.spectrogram_cache import Spectra, clip_spectra


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step of training sees."""

    frames: Tensor
    """(B, 8 n + 30, n_features), the same n for the whole batch; of a frozen encoder
    the columns that it made of them, (B, n, 2 width)."""
    targets: Tensor
    """(B,), class indices."""
    allowed: Tensor
    """(B, n_classes), False where the corpus has no say about the class."""
    rows: Tensor
    """(B,), the clips' numbers in the training set."""


def taught(utterances: Sequence[Utterance], config: TrainConfig) -> list[Utterance]:
    """The clips that a training learns from.

    Those of a class that their corpus teaches, and all of a corpus without labels. The
    others may still be of use without their labels.
    """
    classes = {corpus.name: corpus.classes(config.labels) for corpus in config.corpora}
    whole = {corpus.name for corpus in config.corpora if corpus.unlabelled}
    return [
        u for u in utterances if u.corpus in whole or u.emotion in classes[u.corpus]
    ]


class TrainingSet:
    """The training clips of one run."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        config: TrainConfig,
        noises: Sequence[FloatArray],
        cache: Path,
        *,
        progress: bool = False,
    ) -> None:
        """Read, or compute, the spectra of all clips.

        Args:
            utterances: clips; those of classes that their corpus does not teach are
                left out, see `taught`.
            config: what to train.
            noises: noise recordings, samples.
            cache: folder in which spectra are kept.
            progress: show a progress bar.

        Raises:
            SourceError: if no clip has one of the labels, or those of its corpus's
                `only`.
        """
        self.config = config
        self.utterances = taught(utterances, config)
        if not self.utterances:
            raise SourceError(
                f"no clip has one of the labels {', '.join(config.labels)} that its "
                "corpus teaches"
            )
        unlabelled = {c.name for c in config.corpora if c.unlabelled}
        self._spectra = clip_spectra(
            self.utterances,
            cache,
            front_end=config.front_end,
            progress=progress,
            plain=unlabelled,
        )
        self._noises = NoiseSpectra(noises, config.front_end)
        self.targets = np.array(
            [
                UNLABELLED if u.corpus in unlabelled else config.labels.index(u.emotion)
                for u in self.utterances
            ]
        )
        only = {
            c.name: c.classes(config.labels) or config.labels for c in config.corpora
        }
        self.allowed = np.array(
            [
                [label in only[u.corpus] for label in config.labels]
                for u in self.utterances
            ]
        )
        speakers: dict[tuple[str, ...], list[int]] = defaultdict(list)
        alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, u in enumerate(self.utterances):
            speakers[u.corpus, u.speaker].append(i)
            alike[u.corpus, u.speaker, u.emotion].append(i)
        self._same_speaker = [speakers[u.corpus, u.speaker] for u in self.utterances]
        # A clip without a label is like none but itself.
        self._alike = [
            [i]
            if self.targets[i] == UNLABELLED
            else alike[u.corpus, u.speaker, u.emotion]
            for i, u in enumerate(self.utterances)
        ]
        self.weights = self._balanced()

    def spectra(self, i: int) -> list[Spectra]:
        return self._spectra[i]

    def alike(self, i: int) -> Sequence[int]:
        return self._alike[i]

    def same_speaker(self, i: int) -> Sequence[int]:
        return self._same_speaker[i]

    def maker(self, rng: np.random.Generator) -> WindowMaker:
        """What makes windows of these clips; all that is drawn is drawn from `rng`."""
        config = self.config
        return WindowMaker(
            self,
            config.front_end,
            config.augment,
            self._noises,
            rng,
            config.model.geometry,
        )

    def _balanced(self) -> np.ndarray:
        # Within a corpus every class weighs the same, and every speaker of a class.
        weights = np.zeros(len(self.utterances))
        speakers = np.array([u.speaker for u in self.utterances])
        for corpus in self.config.corpora:
            of_corpus = np.array([u.corpus == corpus.name for u in self.utterances])
            if not of_corpus.any():
                continue  # A fold may leave it out whole.
            if corpus.unlabelled:
                weights[of_corpus] = corpus.weight
                continue
            share = of_corpus.sum() * corpus.weight / len(set(self.targets[of_corpus]))
            for target in set(self.targets[of_corpus]):
                of_class = of_corpus & (self.targets == target)
                for speaker in set(speakers[of_class]):
                    rows = of_class & (speakers == speaker)
                    n_speakers = len(set(speakers[of_class]))
                    weights[rows] = share / n_speakers / rows.sum()
        weights /= weights.sum()
        return weights

    def statistics(self, maker: WindowMaker) -> tuple[FloatArray, ...]:
        """Mean and deviation over frames of 400 augmented windows: (n_features,)."""
        rows = maker.rng.choice(len(self), size=400, p=self.weights)
        frames = maker.windows(rows, 15).flatten(0, 1).numpy()
        return frames.mean(0), frames.std(0) + np.float32(1e-3)

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def n_batches(self) -> int:
        return max(1, round(len(self) / self.config.batch_size))

    def batches(self, maker: WindowMaker, mean: FloatArray) -> Iterator[Batch]:
        """One epoch; each batch has its own window length."""
        rng = maker.rng
        size = self.config.batch_size
        for _ in range(self.n_batches):
            rows = rng.choice(len(self), size=size, p=self.weights)
            n = draw_columns(rng, self.config.max_columns)
            frames = maker.windows(rows, n)
            yield Batch(
                maker.masked(frames, torch.from_numpy(mean)),
                torch.from_numpy(self.targets[rows]),
                torch.from_numpy(self.allowed[rows]),
                torch.from_numpy(rows),
            )


def draw_columns(rng: np.random.Generator, most: int) -> int:
    """Window length: half the batches nearly full, the rest over all lengths."""
    if rng.random() < 0.5:
        return int(rng.integers(max(1, most * 3 // 4), most + 1))
    return int(rng.integers(1, most + 1))
