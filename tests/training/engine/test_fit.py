"""The one training loop, on tasks small enough to follow by hand."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

from ser_stream.errors import ConfigError, ModelError
from ser_stream.nn import cpu_ops
from training.engine.checkpoint import load_checkpoint
from training.engine.fit import Fit, Loss, Schedule, step_average, use_bf16

CPU = torch.device("cpu")


class Line:
    """y = w x through noisy points: a task with one weight and one bias."""

    def __init__(self, factor: float = 1.0, poison: int = 0) -> None:
        torch.manual_seed(0)
        self.line = nn.Linear(1, 1)
        self.slow = nn.Linear(1, 1)
        self._module = nn.ModuleList([self.line, self.slow])
        self._factor, self._poison, self._epochs = factor, poison, 0
        self.progress: list[float] = []

    @property
    def module(self) -> nn.Module:
        return self._module

    def rates(self) -> list[tuple[Iterable[nn.Parameter], float]]:
        return [(self.line.parameters(), 1.0), (self.slow.parameters(), self._factor)]

    @property
    def n_batches(self) -> int:
        return 5

    def batches(self, rng: np.random.Generator) -> Iterator[Tensor]:
        self._epochs += 1
        for _ in range(self.n_batches):
            yield torch.from_numpy(rng.normal(size=(8, 1)).astype(np.float32))

    def loss(self, batch: Tensor, rng: np.random.Generator, progress: float) -> Loss:
        self.progress.append(progress)
        value = ((self.line(batch) + self.slow(batch) - 3 * batch) ** 2).mean()
        if self._epochs == self._poison:
            value = value * float("nan")
        return Loss(value, 4, len(batch))


def fit(task: Line, path: Path, epochs: int = 6, **settings: Any) -> Fit[Tensor]:
    schedule = Schedule(epochs=epochs, learning_rate=0.05, average=0.5, **settings)
    identity = {"config": {"epochs": epochs, "shape": (1, 1)}}
    return Fit(task, schedule, 98, path, identity, CPU)


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
@pytest.mark.parametrize("course", ["one-cycle", "constant"])
def test_the_loss_falls_and_the_rows_tell(
    optimiser: str, course: str, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = []
    task = Line()
    fit(task, tmp_path / "c.pt", optimiser=optimiser, course=course).run(rows.append)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[0]["train_war"] == 50.0
    assert task.progress == [i / 30 for i in range(30)]


@pytest.mark.parametrize(("epochs", "long"), [(79, False), (80, True)])
def test_a_long_training_is_compiled(
    epochs: int, long: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.engine.fit.COMPILED_FROM", 400)
    seen: set[bool] = set()

    class Watching(Line):
        def loss(self, *given: Any) -> Loss:
            seen.add(cpu_ops._compile.get())
            return super().loss(*given)

    # Of 5 steps an epoch.
    fit(Watching(), tmp_path / "c.pt", epochs).run()
    assert seen == {long}
    assert not cpu_ops._compile.get()


def test_a_group_of_rate_zero_stands_still(tmp_path: Path) -> None:
    task = Line(factor=0.0)
    before = task.slow.weight.item()
    fit(task, tmp_path / "c.pt", optimiser="adam").run()
    assert task.slow.weight.item() == before
    assert task.line.weight.item() != before


def test_what_after_keeps_survives_a_stop(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"

    def after(epoch: int, module: nn.Module, kept: dict[str, Any]) -> None:
        assert not module.training
        kept.setdefault("epochs", []).append(epoch)
        if epoch == 3 and stop:
            raise KeyboardInterrupt

    stop = True
    first = fit(Line(), path)
    first.after = after
    with pytest.raises(KeyboardInterrupt):
        first.run()
    # The third epoch was not saved; it is done again.
    assert load_checkpoint(path)["epoch"] == 2
    stop = False
    resumed = fit(Line(), path)
    resumed.after = after
    resumed.run()
    assert resumed.kept["epochs"] == [1, 2, 3, 4, 5, 6]
    undisturbed = fit(Line(), tmp_path / "other.pt")
    undisturbed.run()
    a, b = (load_checkpoint(p)["weights"] for p in (path, tmp_path / "other.pt"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_loss_that_is_no_number_says_where_and_keeps_the_last_epoch(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.pt"
    with pytest.raises(ModelError, match=r"the loss is nan in epoch 3; .*c\.pt"):
        fit(Line(poison=3), path).run()
    saved = load_checkpoint(path)
    assert saved["epoch"] == 2
    assert all(torch.isfinite(w).all() for w in saved["weights"].values())


def test_a_gradient_that_is_no_number_never_reaches_the_weights(tmp_path: Path) -> None:
    task = Line()

    def loss(batch: Tensor, rng: np.random.Generator, progress: float) -> Loss:
        # Finite, but for a gradient of infinity times zero.
        value = torch.sqrt((task.line.weight * 0.0).sum()) + task.slow(batch).sum()
        return Loss(value, 0, len(batch))

    task.loss = loss  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="gradient is nan in epoch 1; no epoch was"):
        fit(task, tmp_path / "c.pt").run()
    assert not (tmp_path / "c.pt").exists()


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    fit(Line(), tmp_path / "c.pt", epochs=1).run()
    with pytest.raises(ConfigError, match="belongs to another configuration"):
        fit(Line(), tmp_path / "c.pt", epochs=2).run()


@pytest.mark.parametrize(
    ("machine", "bf16", "amx", "used"),
    [
        ("x86_64", False, False, False),
        ("x86_64", True, False, True),
        ("x86_64", False, True, True),
        ("aarch64", False, False, True),
    ],
)
def test_bf16_is_not_used_where_a_cpu_emulates_it(
    machine: str, bf16: bool, amx: bool, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every CPU with AVX-512, torch says that there is bf16."""
    told = SimpleNamespace(_is_mkldnn_bf16_supported=lambda: True)
    monkeypatch.setattr(torch.ops, "mkldnn", told)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert use_bf16(torch.device("cpu")) is used


def test_the_average_moves_by_its_decay() -> None:
    average, model = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    assert model.running_mean is not None
    model.running_mean.fill_(1.0)
    step_average(average, model, 0.9)
    assert average.running_mean is not None
    assert average.running_mean.tolist() == pytest.approx([0.1, 0.1])
