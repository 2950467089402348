"""The one training loop: any task, epoch by epoch, safe to kill and to go on."""

import copy
import json
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ser_stream.errors import ConfigError, ModelError
from ser_stream.nn.cpu_ops import compiled_loops
from training.engine.checkpoint import load_checkpoint, save_checkpoint

B = TypeVar("B")
COMPILED_FROM = 400
"""Steps of a training from which parts of it are compiled. It pays from about so many
where torch kept the kernels of an earlier process, and from 2,000 where it has none;
sooner with batches of more than 16 clips."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast the weights move."""

    epochs: int = 60
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 2e-3
    """The peak, with `one-cycle`."""
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    """Of `adamw`; not used by `adam`."""
    course: Literal["one-cycle", "constant"] = "one-cycle"
    average: float = 0.995
    """Decay of the running average of the weights, each step; 0 turns it off."""
    clip: float = 5.0
    """Largest norm of the gradient."""


STATE = ("model", "optimiser", "scheduler")
"""Of a checkpoint: what a training goes on from."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a task says of one batch."""

    value: Tensor
    right: int | Tensor
    """Clips classified rightly."""
    seen: int


class Task(Protocol[B]):
    """What is trained: the loss is passed in with it."""

    @property
    def module(self) -> nn.Module:
        """All weights that are trained."""

    def rates(self) -> list[tuple[Iterable[nn.Parameter], float]]:
        """The weights in groups, each with the factor on its learning rate."""

    @property
    def n_batches(self) -> int:
        """Batches in an epoch."""

    def batches(self, rng: np.random.Generator) -> Iterable[B]:
        """One epoch; all that is drawn is drawn from `rng`."""

    def loss(self, batch: B, rng: np.random.Generator, progress: float) -> Loss:
        """The loss of a batch; `progress` is the share of training done, 0 to 1."""


@dataclass
class Fit(Generic[B]):
    """A training run in a folder.

    Every epoch draws from generators seeded by (seed, epoch), so a resumed run gives
    the weights of an undisturbed one.
    """

    task: Task[B]
    schedule: Schedule
    seed: int
    path: Path
    identity: dict[str, Any]
    """Written into the checkpoint; of another `config`, `clips` or `noises`, it is
    refused."""
    device: torch.device
    after: Callable[[int, nn.Module, dict[str, Any]], None] = lambda *_: None
    """Called after each epoch with the averaged module and the state kept with the
    checkpoint, to which it may add plain values."""

    kept: dict[str, Any] = field(default_factory=dict)
    """What `after` has put there, over all epochs, also those before a kill."""

    def run(self, tell: Callable[[dict[str, Any]], None] = lambda row: None) -> None:
        """Train to the last epoch; `tell` is given a row of figures after each.

        Raises:
            ConfigError: if the checkpoint is of another configuration, or slimmed.
            ModelError: if the loss or its gradient stops being finite; the last good
                checkpoint stays.
        """
        # By the whole length, so that a resumed run does as an undisturbed one.
        long = self.schedule.epochs * self.task.n_batches >= COMPILED_FROM
        with compiled_loops(long and self.device.type == "cpu"):
            self._train(tell)

    def _train(self, tell: Callable[[dict[str, Any]], None]) -> None:
        module = self.task.module
        # Before the optimiser, whose state lives where the weights do. Channels last,
        # convolutions are about a fifth faster on CPUs.
        module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = copy.deepcopy(module).requires_grad_(False).eval()
        optimiser = self._optimiser()
        scheduler = self._scheduler(optimiser)
        done = self._resume(average, optimiser, scheduler)
        steps = self.schedule.epochs * self.task.n_batches
        for epoch in range(done + 1, self.schedule.epochs + 1):
            started = time.monotonic()
            rng = np.random.default_rng([self.seed, epoch])
            torch.manual_seed(int(rng.integers(2**31)))
            total, right, seen = 0.0, 0.0, 0
            module.train()
            step = (epoch - 1) * self.task.n_batches
            for batch in self.task.batches(rng):
                with torch.autocast(
                    self.device.type, torch.bfloat16, enabled=use_bf16(self.device)
                ):
                    loss = self.task.loss(batch, rng, step / steps)
                self._must_be_finite("loss", loss.value, epoch)
                optimiser.zero_grad()
                loss.value.backward()  # type: ignore[no-untyped-call]
                norm = nn.utils.clip_grad_norm_(module.parameters(), self.schedule.clip)
                self._must_be_finite("gradient", norm, epoch)
                optimiser.step()
                scheduler.step()
                step_average(average, module, self.schedule.average)
                total += loss.value.item() * loss.seen
                right += float(loss.right)
                seen += loss.seen
                step += 1
            row = {
                "epoch": epoch,
                "loss": round(total / seen, 5),
                "train_war": round(100 * right / seen, 2),
                "seconds": round(time.monotonic() - started, 2),
            }
            self.after(epoch, average.eval(), self.kept)
            # Before the checkpoint: a kill between the two repeats the epoch.
            tell(row)
            save_checkpoint(
                self.path,
                {
                    "epoch": epoch,
                    **self.identity,
                    "kept": self.kept,
                    "weights": average.state_dict(),
                    "model": module.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "scheduler": scheduler.state_dict(),
                },
            )

    def _must_be_finite(self, what: str, value: Tensor, epoch: int) -> None:
        if torch.isfinite(value):
            return
        good = f"the last good checkpoint is {self.path}"
        if not self.path.exists():
            good = "no epoch was finished, so there is no checkpoint"
        raise ModelError(f"the {what} is {value.item()} in epoch {epoch}; {good}")

    def _optimiser(self) -> torch.optim.Optimizer:
        s = self.schedule
        weights = [
            {"params": list(parameters), "lr": s.learning_rate * factor}
            for parameters, factor in self.task.rates()
        ]
        if s.optimiser == "adam":
            return torch.optim.Adam(
                weights, s.learning_rate, s.betas, s.epsilon, fused=True
            )
        return torch.optim.AdamW(
            weights, s.learning_rate, s.betas, s.epsilon, s.weight_decay, fused=True
        )

    def _scheduler(
        self, optimiser: torch.optim.Optimizer
    ) -> torch.optim.lr_scheduler.LRScheduler:
        s = self.schedule
        if s.course == "constant":
            return torch.optim.lr_scheduler.ConstantLR(optimiser, 1.0, 1)
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            [group["lr"] for group in optimiser.param_groups],
            total_steps=s.epochs * self.task.n_batches,
            cycle_momentum=s.optimiser == "adamw",
        )

    def _resume(
        self,
        average: nn.Module,
        optimiser: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
    ) -> int:
        if not self.path.exists():
            return 0
        saved = load_checkpoint(self.path)
        check_identity(self.path, saved, self.identity)
        check_whole(self.path, saved)
        self.task.module.load_state_dict(saved["model"])
        average.load_state_dict(saved["weights"])
        optimiser.load_state_dict(saved["optimiser"])
        scheduler.load_state_dict(saved["scheduler"])
        self.kept = saved.get("kept", {})
        return int(saved["epoch"])


def check_identity(path: Path, saved: dict[str, Any], identity: dict[str, Any]) -> None:
    """Refuse to go on with the checkpoint of another run.

    Raises:
        ConfigError: if its `config`, `clips` or `noises`, as far as it says them, are
            not those of the identity.
    """
    parts = {
        "config": "configuration",
        "clips": "set of clips",
        "noises": "set of noise recordings",
    }
    for part, what in parts.items():
        if part in saved and _plain(saved[part]) != _plain(identity.get(part)):
            raise ConfigError(
                f"{path} belongs to another {what}; delete it, or keep "
                "unfinished runs in another folder"
            )


def check_whole(path: Path, saved: dict[str, Any]) -> None:
    """Refuse to go on with a checkpoint that was slimmed.

    Raises:
        ConfigError: if it holds no state of a training.
    """
    if absent := [part for part in STATE if part not in saved]:
        raise ConfigError(
            f"{path} has no {', '.join(absent)}, which `slim` leaves out, so no "
            "training goes on from it; move it, or keep unfinished runs in another "
            "folder"
        )


def _plain(value: Any) -> Any:
    # A tuple and the list that a file gives back are the same setting.
    return json.loads(json.dumps(value))


@torch.no_grad()
def step_average(average: nn.Module, model: nn.Module, decay: float) -> None:
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
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    # Of x86, that says no more than AVX-512. Without instructions for bf16 it is
    # emulated; training was seen to be 7 times slower than in float32.
    cpu = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())
