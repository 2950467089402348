"""The training loop, read top to bottom."""

import copy
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ser_stream.errors import ConfigError, ModelError
from ser_stream.nn.cpac import Cpac
from ser_stream.values import FloatArray
from training.augment import WindowMaker
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import TrainConfig
from training.corpora import Utterance
from training.curves import append_row, keep_rows, plot_curves
from training.dataset import Batch, TrainingSet
from training.revision import git_revision


def train(
    utterances: Sequence[Utterance],
    config: TrainConfig,
    out: Path,
    *,
    noises: Sequence[FloatArray] = (),
    device: str = "auto",
    threads: int = 0,
    progress: bool = True,
) -> Path:
    """Train until the last epoch, or go on where a killed run stopped.

    Every epoch draws from generators seeded by (seed, epoch), so a resumed run gives
    the weights of an undisturbed one.

    Args:
        utterances: training clips; those of other labels are left out.
        config: what to train, and how.
        out: folder for `checkpoint.pt`, `epochs.csv` and `curve.png`.
        noises: noise recordings mixed under the clips.
        device: `auto`, `cpu` or `cuda`.
        threads: CPU threads; 0 leaves torch's choice.
        progress: show a progress bar with the time left.

    Returns:
        The path of the checkpoint of the last epoch.

    Raises:
        ConfigError: if `out` holds a run of another configuration.
        ModelError: if the loss stops being finite; the last good checkpoint stays.
    """
    if threads:
        torch.set_num_threads(threads)
    where = pick_device(device)
    out.mkdir(parents=True, exist_ok=True)
    path, table = out / "checkpoint.pt", out / "epochs.csv"
    data = TrainingSet(utterances, config)
    model, average, optimiser, scheduler, first = _begin(
        path, data, config, noises, where
    )
    keep_rows(table, first)
    mean = model.encoder.mean.cpu().numpy()

    revision = git_revision()
    epochs = range(first + 1, config.epochs + 1)
    bar = tqdm(epochs, desc=out.name, unit="epoch", disable=not progress)
    for epoch in bar:
        started = time.monotonic()
        rng = np.random.default_rng([config.seed, epoch])
        torch.manual_seed(int(rng.integers(2**31)))
        maker = WindowMaker(config.front_end, config.augment, noises, rng)
        total, right, seen = 0.0, 0.0, 0
        model.train()
        for batch in data.batches(maker, mean):
            on_device = Batch(*(getattr(batch, f).to(where) for f in Batch.__slots__))
            with torch.autocast(where.type, torch.bfloat16, enabled=use_bf16(where)):
                loss, n_right = masked_cross_entropy(model, on_device, rng, config)
            if not torch.isfinite(loss):
                raise ModelError(
                    f"the loss is {loss.item()} in epoch {epoch}; the last good "
                    f"checkpoint is {path}"
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            scheduler.step()
            step_average(average, model, config.average)
            total += loss.item() * len(batch.targets)
            right += n_right.item()
            seen += len(batch.targets)
        row = {
            "epoch": epoch,
            "loss": round(total / seen, 5),
            "train_war": round(100 * right / seen, 2),
            "seconds": round(time.monotonic() - started, 2),
        }
        bar.set_postfix(loss=row["loss"], war=row["train_war"])
        append_row(table, row)
        save_checkpoint(
            path,
            {
                "epoch": epoch,
                "config": config.to_dict(),
                "revision": revision,
                "weights": average.state_dict(),
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "scheduler": scheduler.state_dict(),
                "speakers": sorted(
                    {f"{u.corpus}/{u.speaker}" for u in data.utterances}
                ),
            },
        )
    plot_curves(table, out / "curve.png")
    return path


def _begin(
    path: Path,
    data: TrainingSet,
    config: TrainConfig,
    noises: Sequence[FloatArray],
    where: torch.device,
) -> tuple[
    Cpac, Cpac, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler, int
]:
    saved = load_checkpoint(path) if path.exists() else None
    if saved and TrainConfig.from_dict(saved["config"]) != config:
        raise ConfigError(
            f"{path} belongs to another configuration; give another --out, or delete it"
        )
    # The same beginning for a fresh and a resumed run; then load what was saved.
    torch.manual_seed(config.seed)
    model = Cpac(config.model)
    maker = WindowMaker(
        config.front_end, config.augment, noises, np.random.default_rng(config.seed)
    )
    mean, deviation = data.statistics(maker)
    model.encoder.mean.copy_(torch.from_numpy(mean))
    model.encoder.deviation.copy_(torch.from_numpy(deviation))
    # Before the optimiser, whose state lives where the weights do. Channels last,
    # convolutions are about a fifth faster on CPUs.
    model.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(model).requires_grad_(False).eval()
    optimiser = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.epochs * data.n_batches
    )
    if saved is None:
        return model, average, optimiser, scheduler, 0
    model.load_state_dict(saved["model"])
    average.load_state_dict(saved["weights"])
    optimiser.load_state_dict(saved["optimiser"])
    scheduler.load_state_dict(saved["scheduler"])
    return model, average, optimiser, scheduler, int(saved["epoch"])


def masked_cross_entropy(
    model: Cpac, batch: Batch, rng: np.random.Generator, config: TrainConfig
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
        masked = logits.masked_fill(~allowed, -1e4)
        log_probs = F.log_softmax(masked, dim=-1)
        hit = -log_probs.gather(1, targets[:, None])[:, 0]
        # Smoothing goes to the allowed classes alone.
        spread = -(log_probs * allowed).sum(1) / allowed.sum(1)
        return (
            (1 - config.label_smoothing) * hit + config.label_smoothing * spread
        ).mean()

    loss = share * one(targets, allowed)
    if share < 1.0:
        loss = loss + (1.0 - share) * one(targets[order], allowed[order])
    right = (logits.masked_fill(~allowed, -1e4).argmax(1) == targets).sum()
    return loss, right


@torch.no_grad()
def step_average(average: Cpac, model: Cpac, decay: float) -> None:
    """Move the running average of weights and statistics towards the model."""
    for kept, new in zip(
        average.state_dict().values(), model.state_dict().values(), strict=True
    ):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1.0 - decay)
        else:
            kept.copy_(new)


def pick_device(name: str) -> torch.device:
    """`auto` takes CUDA where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is {name!r}; allowed: auto, cpu, cuda")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("there is no CUDA device; use --device cpu")
    return torch.device(name)


def use_bf16(device: torch.device) -> bool:
    """Whether bfloat16 pays: on GPUs, and on CPUs with instructions for it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # pytorch's name for AVX512_BF16; without it bf16 on a CPU is emulated.
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
