"""Training for the stream: windows of speech into the one training loop."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ser_stream.nn.build import build
from ser_stream.nn.cpac import Cpac
from ser_stream.nn.masked import UNLABELLED, masked_cross_entropy, masked_logits
from ser_stream.nn.whisper import WhisperEncoder
from ser_stream.pipeline.speaker import LEAST_COLUMNS
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.corpora.clips_hash import clips_hash
from training.engine.checkpoint import load_checkpoint
from training.engine.curves import append_row, keep_rows, plot_curves
from training.engine.fit import (
    Fit,
    Loss,
    Schedule,
    check_identity,
    check_whole,
    pick_device,
)
from training.engine.git_revision import git_revision
from training.recipe.config import TrainConfig
from training.recipe.dataset import Batch, TrainingSet, taught
from training.recipe.frozen_columns import COLUMNS, FrozenSet
from training.recipe.model import IN_TRAINING, network_weights
from training.recipe.speaker_memory import SpeakerMemory
from training.recipe.teacher.pretrained import whisper_weights

if TYPE_CHECKING:
    from training.recipe.teacher.targets import Targets

CENTRE_RATE = 0.01
"""How fast the mean of the features follows, each step."""
FULL_WEIGHT_COLUMNS = 8
"""The components of windows of 1.2 s and more count in full."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What a training needs beside clips and configuration."""

    noises: Mapping[str, FloatArray] = field(default_factory=dict)
    """Recordings to mix in, by name; the checkpoint keeps the names."""
    device: str = "auto"
    threads: int = 0
    """CPU threads; 0 leaves torch's choice."""
    progress: bool = True
    cache: Path = Path("runs/spectra")
    """Folder in which the clips' spectra are kept."""
    teacher: Path = Path("runs/teacher")
    """Folder of the teacher's wheels, and of the clips' features."""
    columns: Path = COLUMNS
    """Folder in which what a frozen encoder says of the clips is kept."""


def train(
    utterances: Sequence[Utterance],
    config: TrainConfig,
    out: Path,
    options: TrainOptions,
    *,
    begin: Path | None = None,
) -> Path:
    """Train until the last epoch, or go on where a killed run stopped.

    Every epoch draws from generators seeded by (seed, epoch), so a resumed run gives
    the weights of an undisturbed one.

    Args:
        utterances: training clips; those of classes that their corpus does not teach
            are left out.
        config: what to train, and how.
        out: folder for `checkpoint.pt`, `epochs.csv` and `curve.png`.
        options: how to train.
        begin: checkpoint whose weights to begin with; None for weights by chance.

    Returns:
        The path of the checkpoint of the last epoch.

    Raises:
        ConfigError: if `out` holds a run of another configuration, of other clips or
            of other noise recordings, or a slimmed one.
        ModelError: if the loss stops being finite; the last good checkpoint stays.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    where = pick_device(options.device)
    out.mkdir(parents=True, exist_ok=True)
    path, table, picture = (
        out / name for name in ("checkpoint.pt", "epochs.csv", "curve.png")
    )
    identity = {
        "config": config.to_dict(),
        "clips": clips_hash(taught(utterances, config)),
        "noises": sorted(options.noises),
    }
    done = 0
    if path.exists():
        saved = load_checkpoint(path)
        check_identity(path, saved, identity)
        done = int(saved["epoch"])
        if done >= config.epochs and picture.exists():
            return path
        # Before the spectra, which take long.
        check_whole(path, saved)
    if config.teacher is not None:
        # Before the spectra, which take long.
        check_teacher(taught(utterances, config), options)
    task = new_task(utterances, config, options, where)
    data = task.data
    if begin is not None:
        weights = network_weights(load_checkpoint(begin)["weights"])
        own = task.module.state_dict()
        kept = {k: v for k, v in own.items() if k.startswith(IN_TRAINING)}
        task.module.load_state_dict({**weights, **kept})
    fit: Fit[Batch] = Fit(
        task,
        Schedule(
            epochs=config.epochs,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            average=config.average,
        ),
        config.seed,
        path,
        {
            **identity,
            "revision": git_revision(),
            "speakers": sorted({u.person for u in data.utterances}),
        },
        where,
    )
    keep_rows(table, done)
    with tqdm(
        total=config.epochs,
        initial=done,
        desc=out.name,
        unit="epoch",
        disable=not options.progress,
    ) as bar:

        def tell(row: dict[str, Any]) -> None:
            append_row(table, row)
            bar.set_postfix(loss=row["loss"], war=row["train_war"], refresh=False)
            bar.update()

        fit.run(tell)
    plot_curves(table, picture)
    return path


def new_task(
    utterances: Sequence[Utterance],
    config: TrainConfig,
    options: TrainOptions,
    where: torch.device,
) -> "WindowTask":
    """The network of a configuration, and its clips."""
    # The same beginning for a fresh and a resumed run.
    torch.manual_seed(config.seed)
    model = build(config.network, config.model)
    if isinstance(model.encoder, WhisperEncoder):
        # Before the spectra, which take long.
        model.encoder.load(whisper_weights(options.teacher))
    data = training_set(model, utterances, config, options)
    return WindowTask(model, data, config, where, teacher_targets(data, options))


def training_set(
    model: Cpac,
    utterances: Sequence[Utterance],
    config: TrainConfig,
    options: TrainOptions,
) -> TrainingSet:
    """The clips of a network; where its encoder is frozen, as that hears them."""
    noises = list(options.noises.values())
    clips = (utterances, config, noises, options.cache)
    progress, encoder = options.progress, model.encoder
    if isinstance(encoder, WhisperEncoder):
        columns = options.columns
        return FrozenSet(*clips, progress=progress, encoder=encoder, columns=columns)
    return TrainingSet(*clips, progress=progress)


def check_teacher(utterances: Sequence[Utterance], options: TrainOptions) -> None:
    """Refuse a training whose teacher is not there.

    Raises:
        SourceError: if features are to be computed and a wheel is missing or another.
    """
    from training.recipe.teacher.clip_features import missing_features
    from training.recipe.teacher.pretrained import check_wheels

    if missing_features(utterances, options.teacher / "features"):
        check_wheels(options.teacher)


def teacher_targets(data: TrainingSet, options: TrainOptions) -> "Targets | None":
    """What the teacher says of the training clips; None without one."""
    if data.config.teacher is None:
        return None
    # scikit-learn takes a second, and most trainings have no teacher.
    from training.recipe.teacher.clip_features import clip_features
    from training.recipe.teacher.targets import make_targets

    folder = options.teacher
    features = clip_features(
        data.utterances, folder, folder / "features", progress=options.progress
    )
    return make_targets(
        features, data.utterances, data.targets, data.allowed, data.config.teacher
    )


class WindowTask:
    """A network on augmented windows; a frozen encoder has heard them already."""

    def __init__(
        self,
        model: Cpac,
        data: TrainingSet,
        config: TrainConfig,
        device: torch.device,
        targets: "Targets | None" = None,
    ) -> None:
        self.data = data
        self.n_batches = data.n_batches
        self._config = config
        self._device = device
        maker = data.maker(np.random.default_rng(config.seed))
        mean, deviation = data.statistics(maker)
        self._mean = mean
        model.encoder.mean.copy_(torch.from_numpy(mean))
        model.encoder.deviation.copy_(torch.from_numpy(deviation))
        # What only training needs is kept with the weights, so that it is resumed too.
        n_features = config.model.n_features
        encoder = model.encoder
        # What went through the frozen part already is only to be projected.
        self._encode: Callable[[Tensor], Tensor] = (
            encoder.project if isinstance(encoder, WhisperEncoder) else encoder
        )
        self._targets, self._memory, self._components = targets, None, None
        if targets is not None:
            self._components = nn.Linear(n_features, targets.components.shape[1])
            model.add_module("teacher", self._components)
        if config.model.speaker_mean:
            speakers = [data.same_speaker(i) for i in range(len(data))]
            self._memory = SpeakerMemory(speakers, data.targets, n_features)
            model.add_module("memory", self._memory)
        self.module = model

    def rates(self) -> list[tuple[Iterable[nn.Parameter], float]]:
        return [(self.module.parameters(), 1.0)]

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        return self.data.batches(self.data.maker(rng), self._mean)

    def loss(self, batch: Batch, rng: np.random.Generator, progress: float) -> Loss:
        batch = Batch(*(getattr(batch, f).to(self._device) for f in Batch.__slots__))
        if self._memory is None and self._targets is None:
            value, right = mixed_loss(self._logits, batch, rng, self._config)
            return Loss(value, right, len(batch.targets))
        rows = batch.rows.cpu().numpy()
        head = self.module.head
        columns = self._encode(batch.frames)
        features = head.features(columns).float()
        mean = None
        if self._memory is not None:
            head.mean.lerp_(features.detach().mean(0), CENTRE_RATE)
            mean = self._memory.means(rows, head.mean, rng)
            if columns.shape[1] >= LEAST_COLUMNS:
                self._memory.store(rows, features)
        logits = head.classify(features, mean).float()
        value = masked_cross_entropy(
            logits, batch.targets, batch.allowed, self._config.label_smoothing
        )
        if self._targets is not None:
            n = columns.shape[1]
            value = value + self._teacher_loss(features, logits, batch, n)
        n_labelled = int((self.data.targets[rows] != UNLABELLED).sum())
        return Loss(value, n_right(logits, batch), n_labelled)

    def _logits(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.module.head(self._encode(frames))
        return logits

    def _teacher_loss(
        self, features: Tensor, logits: Tensor, batch: Batch, columns: int
    ) -> Tensor:
        assert self._targets is not None
        assert self._config.teacher is not None
        assert self._components is not None
        teacher, rows = self._config.teacher, batch.rows.cpu().numpy()
        true = torch.from_numpy(self._targets.components[rows]).to(self._device)
        unexplained = (self._components(features) - true).square().sum(1).mean()
        # A second of a clip says little of the whole.
        weight = teacher.component_weight * min(1.0, columns / FULL_WEIGHT_COLUMNS)
        soft = torch.from_numpy(self._targets.soft[rows]).to(self._device)
        unlike = F.cross_entropy(logits, soft)
        loss: Tensor = weight * unexplained + teacher.soft_weight * unlike
        return loss


def mixed_loss(
    model: Callable[[Tensor], Tensor],
    batch: Batch,
    rng: np.random.Generator,
    config: TrainConfig,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy with mixup, over the classes that each clip's corpus may speak of.

    Returns:
        Loss, and how many clips (before mixing: the heavier of the two) were right.
    """
    frames, targets, allowed = batch.frames, batch.targets, batch.allowed
    share = 1.0
    if config.augment.mixup:
        share = float(rng.beta(config.augment.mixup, config.augment.mixup))
        share = max(share, 1.0 - share)
    order = torch.from_numpy(rng.permutation(len(targets))).to(frames.device)
    logits = model(share * frames + (1.0 - share) * frames[order]).float()

    def one(targets: Tensor, allowed: Tensor) -> Tensor:
        return masked_cross_entropy(logits, targets, allowed, config.label_smoothing)

    loss = share * one(targets, allowed)
    if share < 1.0:
        loss = loss + (1.0 - share) * one(targets[order], allowed[order])
    return loss, n_right(logits, batch)


def n_right(logits: Tensor, batch: Batch) -> Tensor:
    """How many clips are classified rightly, among the classes of their corpora."""
    return (masked_logits(logits, batch.allowed).argmax(1) == batch.targets).sum()
