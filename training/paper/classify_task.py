"""One network on one fold of one corpus."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_stream.pipeline.values import FloatArray
from training.engine.fit import Loss, Schedule, use_bf16
from training.paper.clip_batches import ClipBatches, FrameBatch, MaskConfig
from training.paper.losses.margin import published_loss
from training.paper.mfcc_cache import MIN_FRAMES, fixed_length
from training.paper.networks import Kind, Network, Reading, build_network, cpac_config


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Everything that decides how a network is trained on a fold."""

    kind: Kind = "cpac"
    reading: Reading = "as-published-code"
    model: Mapping[str, Any] = field(default_factory=dict)
    """Single choices of `CpacConfig`, changed."""
    deviation: float = 0.0
    """Every MFCC is shifted to mean 0 and scaled to this deviation over the training
    frames; 0 leaves raw MFCCs."""
    loss: Literal["published", "cross-entropy"] = "published"
    label_smoothing: float = 0.1
    seconds: float = 0.0
    """Every clip is cut or padded to so many; 0: whole clips, and windows of them in
    training."""
    max_columns: int = 25
    """Longest of these windows; a column is 8 frames."""
    batch_size: int = 32
    mask: MaskConfig = field(default_factory=MaskConfig)
    schedule: Schedule = field(default_factory=Schedule)
    score_every: int = 1
    """Epochs from one scoring to the next; 0 scores after the last alone."""

    @property
    def n_frames(self) -> int:
        """Frames of a clip of fixed length; 0 for whole clips."""
        if not self.seconds:
            return 0
        return max(MIN_FRAMES, 1 + int((self.seconds - 0.05) / 0.0125 + 1e-9))

    def scores_after(self, epoch: int, epochs: int) -> bool:
        due = bool(self.score_every) and epoch % self.score_every == 0
        return due or epoch == epochs


class ClassifyTask:
    """A network, labelled clips, and a classification loss."""

    def __init__(
        self,
        config: NetworkConfig,
        clips: Sequence[FloatArray],
        targets: Sequence[int],
        n_classes: int,
        seed: int,
        device: torch.device,
        network: nn.Module | None = None,
    ) -> None:
        """Keep clips and classes; `network` is made from `seed` unless it is given."""
        self._config = config
        self._device = device
        # The same beginning for a fresh and a resumed run.
        torch.manual_seed(seed)
        self.module = network or new_network(config, clips, n_classes)
        mean = np.concatenate(list(clips)).mean(0)
        self._batches = ClipBatches(
            clips,
            targets,
            batch_size=config.batch_size,
            fixed=config.n_frames,
            max_columns=config.max_columns,
            mask=config.mask,
            mean=mean,
        )
        self.n_batches = len(self._batches)

    def rates(self) -> list[tuple[Iterable[nn.Parameter], float]]:
        return [(self.module.parameters(), 1.0)]

    def batches(self, rng: np.random.Generator) -> Iterator[FrameBatch]:
        return self._batches.epoch(rng)

    def loss(
        self, batch: FrameBatch, rng: np.random.Generator, progress: float
    ) -> Loss:
        config = self._config
        frames, targets = batch.frames.to(self._device), batch.targets.to(self._device)
        loss = classification_loss(config.loss, config.label_smoothing)
        share, order = _mixing(config.mask.mixup, len(targets), rng)
        if share < 1.0:
            frames = share * frames + (1.0 - share) * frames[order]
        logits: Tensor = self.module(frames).float()
        value = loss(logits, targets)
        if share < 1.0:
            value = share * value + (1.0 - share) * loss(logits, targets[order])
        return Loss(value, (logits.argmax(1) == targets).sum(), len(targets))


def new_network(
    config: NetworkConfig, clips: Sequence[FloatArray], n_classes: int
) -> Network:
    """A network with fresh weights; standardised by the frames of `clips`."""
    model = cpac_config(config.reading, n_classes, **config.model)
    network = build_network(config.kind, model)
    if config.deviation:
        frames = np.concatenate(list(clips))
        network.mean.copy_(torch.from_numpy(frames.mean(0)))
        scale = (frames.std(0) + np.float32(1e-3)) / np.float32(config.deviation)
        network.deviation.copy_(torch.from_numpy(scale))
    return network


def classification_loss(
    name: str, smoothing: float
) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of logits and class indices that goes by this name."""
    if name == "published":
        return lambda logits, targets: published_loss(logits, targets, smoothing)
    return lambda logits, targets: F.cross_entropy(
        logits, targets, label_smoothing=smoothing
    )


def _mixing(
    parameter: float, n: int, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    if not parameter:
        return 1.0, np.arange(n)
    share = float(rng.beta(parameter, parameter))
    return max(share, 1.0 - share), rng.permutation(n)


@torch.no_grad()
def outputs(
    function: Callable[[Tensor], Tensor],
    clips: Sequence[FloatArray],
    n_frames: int,
    device: torch.device,
    batch_size: int = 32,
) -> FloatArray:
    """What `function` says of each clip, (n, d): of one length, or of whole clips."""
    rows: list[FloatArray | None] = [None] * len(clips)
    if n_frames:
        groups = [
            list(range(i, min(i + batch_size, len(clips))))
            for i in range(0, len(clips), batch_size)
        ]
    else:
        # Whole clips: only those of one length go together.
        by_length: dict[int, list[int]] = {}
        for i, clip in enumerate(clips):
            by_length.setdefault(len(clip), []).append(i)
        groups = list(by_length.values())
    for group in groups:
        chosen = [clips[i] for i in group]
        frames = fixed_length(chosen, n_frames or len(chosen[0]))
        with torch.autocast(device.type, torch.bfloat16, enabled=use_bf16(device)):
            result = function(torch.from_numpy(frames).to(device))
        for i, row in zip(group, result.float().cpu().numpy(), strict=True):
            rows[i] = row
    return np.array(rows, np.float32)
