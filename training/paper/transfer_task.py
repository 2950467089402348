"""From a source corpus with labels to a target corpus without: one run."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ser_stream.nn.mdd import ReluClassifier
from ser_stream.pipeline.values import FloatArray
from training.engine.fit import Loss, Schedule
from training.paper.classify_task import NetworkConfig, new_network
from training.paper.clip_batches import ClipBatches, FrameBatch
from training.paper.losses import ADAPTATIONS, AdaptationBatch
from training.paper.networks import Network

SOURCE, TARGET = 0, 1


@dataclass(frozen=True, slots=True)
class TransferConfig:
    """Everything that decides a cross-corpus run."""

    source: NetworkConfig = field(default_factory=NetworkConfig)
    """The network, and how it is trained on the source alone: the checkpoint that all
    methods begin from; with no epochs, fresh weights. Of its masks, adaptation applies
    all but mixup."""
    method: str = "none"
    """A key of `training.paper.losses.ADAPTATIONS`. Of the two without adaptation,
    `none` never hears the target; with `both-statistics` it goes through the network
    beside the source, so that batch norm takes it in, as with the other methods."""
    options: Mapping[str, Any] = field(default_factory=dict)
    levels: Literal["as-recorded", "by-corpus", "by-source"] = "as-recorded"
    """`by-corpus`: the MFCCs of each corpus are shifted and scaled to the mean and
    deviation of its own frames, over all its clips that are seen unlabelled or
    labelled. `by-source`: those of both by the frames of the source."""
    new_rate: float = 10.0
    """Factor on the learning rate of what the method brings with it: heads that begin
    from nothing beside a network that is trained already."""
    steps: int = 20
    """Of an epoch; 0: as many as the larger corpus has batches, rounded up. Each is
    drawn anew: a rest smaller than a batch is left to the next shuffle."""
    batch_size: int = 32
    """Clips of either corpus in a step; all of a corpus that has fewer."""
    schedule: Schedule = field(default_factory=Schedule)


class TransferNetwork(nn.Module):
    """A network whose classifier is ReLU -> linear, as both heads of CAAM are."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        network.head_dropout = nn.Dropout(0.0)  # Before the ReLU there is none.
        network.classifier = ReluClassifier(network.config.n_classes)

    def features(self, frames: torch.Tensor) -> torch.Tensor:
        return self.network.features(frames)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(frames)
        return logits


def new_transfer_network(
    config: NetworkConfig, clips: Sequence[FloatArray], n_classes: int
) -> TransferNetwork:
    """With fresh weights; draw them under a seed of your own."""
    return TransferNetwork(new_network(config, clips, n_classes))


def levelled(
    clips: Sequence[FloatArray], reference: Sequence[FloatArray]
) -> list[FloatArray]:
    """Clips shifted and scaled to the mean and deviation of the frames of others."""
    frames = np.concatenate(list(reference))
    mean, deviation = frames.mean(0), frames.std(0) + np.float32(1e-3)
    return [(clip - mean) / deviation for clip in clips]


@dataclass(frozen=True, slots=True)
class PairBatch:
    """What one step sees: labelled source clips, unlabelled target clips."""

    source: FrameBatch
    target: FrameBatch
    """Its targets are all 0 and never looked at."""


class TransferTask:
    """The source's labels, the target's audio, and a loss that was passed in."""

    def __init__(
        self,
        config: TransferConfig,
        network: TransferNetwork,
        source: Sequence[FloatArray],
        targets: Sequence[int],
        target: Sequence[FloatArray],
        n_classes: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._config = config
        self._device = device
        torch.manual_seed(seed)
        self._network = network
        self._adaptation = ADAPTATIONS[config.method](n_classes, **config.options)
        self.module = nn.ModuleDict(
            {"network": network, "adaptation": self._adaptation}
        )
        larger = max(len(source), len(target))
        self.n_batches = config.steps or math.ceil(larger / config.batch_size)

        def batches(clips: Sequence[FloatArray], classes: Sequence[int]) -> ClipBatches:
            return ClipBatches(
                clips,
                classes,
                batch_size=config.batch_size,
                fixed=config.source.n_frames,
                max_columns=config.source.max_columns,
                mask=config.source.mask,
            )

        self._source = batches(source, targets)
        self._target = batches(target, [0] * len(target))

    def rates(self) -> list[tuple[Iterable[nn.Parameter], float]]:
        return [
            (self._network.parameters(), 1.0),
            (self._adaptation.parameters(), self._config.new_rate),
        ]

    def batches(self, rng: np.random.Generator) -> Iterator[PairBatch]:
        """See `Task.batches`; a corpus that ends begins again, shuffled anew."""
        source, target = _endless(self._source, rng), _endless(self._target, rng)
        for _ in range(self.n_batches):
            yield PairBatch(next(source), next(target))

    def loss(self, batch: PairBatch, rng: np.random.Generator, progress: float) -> Loss:
        """Cross-entropy on the source, and what the method adds to it."""
        source = batch.source.frames.to(self._device)
        labels = batch.source.targets.to(self._device)
        n = len(labels)
        if self._config.method == "none":
            logits = self._network(source).float()
            term = logits.new_zeros(())
        else:
            target = batch.target.frames.to(self._device)
            # Windows of either corpus are of its own length; the longer is cut.
            length = min(source.shape[1], target.shape[1])
            both = torch.cat([source[:, :length], target[:, :length]])
            psi = self._network.features(both).float()
            all_logits = self._network.network.classifier(psi).float()
            logits = all_logits[:n]
            term = self._adaptation(
                AdaptationBatch(psi[:n], psi[n:], logits, all_logits[n:], progress)
            )
        value = F.cross_entropy(
            logits, labels, label_smoothing=self._config.source.label_smoothing
        )
        return Loss(value + term, (logits.argmax(1) == labels).sum(), n)


def _endless(batches: ClipBatches, rng: np.random.Generator) -> Iterator[FrameBatch]:
    while True:
        yield from batches.epoch(rng)


def class_distances(
    features: FloatArray, truth: Sequence[int], domain: Sequence[int], n_classes: int
) -> list[float]:
    """Euclidean distance between the two corpora's means of each class.

    Args:
        features: (n, d).
        truth: class of each row.
        domain: `SOURCE` or `TARGET` of each row.
        n_classes: how many classes.

    Returns:
        For each class; NaN where one of the corpora lacks it.
    """
    t, d = np.asarray(truth), np.asarray(domain)
    result = []
    for c in range(n_classes):
        source, target = (features[(t == c) & (d == k)] for k in (SOURCE, TARGET))
        if len(source) and len(target):
            result.append(float(np.linalg.norm(source.mean(0) - target.mean(0))))
        else:
            result.append(float("nan"))
    return result
