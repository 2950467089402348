"""Two small domains: what a step of adaptation sees, and what is measured after it."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ser_stream.nn.mdd import ReluClassifier
from training.engine.fit import Schedule
from training.paper.classify_task import NetworkConfig
from training.paper.transfer_task import (
    SOURCE,
    TARGET,
    PairBatch,
    TransferConfig,
    TransferTask,
    class_distances,
    levelled,
    new_transfer_network,
)

CPU = torch.device("cpu")
CONFIG = TransferConfig(
    source=NetworkConfig(reading="streaming", max_columns=3, batch_size=4),
    method="caam",
    options={"gamma": 1.5},
    steps=3,
    batch_size=4,
    schedule=Schedule(epochs=1),
)


def clips(n: int, level: float) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [
        (level + 10 * rng.normal(size=(60, 39))).astype(np.float32) for _ in range(n)
    ]


def task(config: TransferConfig) -> TransferTask:
    torch.manual_seed(1)
    source, target = clips(10, 0.0), clips(6, 50.0)
    network = new_transfer_network(config.source, source, 5)
    truth = [i % 5 for i in range(10)]
    return TransferTask(config, network, source, truth, target, 5, 98, CPU)


def test_both_heads_are_relu_and_linear() -> None:
    network = new_transfer_network(CONFIG.source, clips(2, 0.0), 5)
    assert isinstance(network.network.classifier, ReluClassifier)
    frames = torch.randn(2, 60, 39)
    psi = network.eval().features(frames)
    torch.testing.assert_close(network(frames), network.network.classifier(psi))


def test_an_epoch_is_a_number_of_steps_whatever_the_corpora_hold() -> None:
    made = task(replace(CONFIG, steps=7))
    batches = list(made.batches(np.random.default_rng(0)))
    assert len(batches) == made.n_batches == 7
    assert all(len(b.source.targets) == len(b.target.targets) == 4 for b in batches)


def test_without_a_number_there_are_as_many_steps_as_the_larger_has_batches() -> None:
    made = task(replace(CONFIG, steps=0))
    batches = list(made.batches(np.random.default_rng(0)))
    assert len(batches) == made.n_batches == 3  # 10 clips by 4
    assert all(len(b.source.targets) == len(b.target.targets) == 4 for b in batches)


@pytest.mark.parametrize("method", ["caam", "dann", "cdan", "none", "both-statistics"])
def test_all_weights_that_a_method_has_are_taught(method: str) -> None:
    options = {"gamma": 1.5} if method == "caam" else {}
    made = task(replace(CONFIG, method=method, options=options))
    batch = next(iter(made.batches(np.random.default_rng(0))))
    loss = made.loss(batch, np.random.default_rng(0), 0.5)
    torch.autograd.backward(loss.value)
    still = [n for n, p in made.module.named_parameters() if p.grad is None]
    assert still == []
    assert loss.seen == 4


def test_only_with_both_statistics_does_the_target_reach_batch_norm() -> None:
    for method, heard in (("none", False), ("both-statistics", True)):
        made = task(replace(CONFIG, method=method, options={}))
        batch = next(iter(made.batches(np.random.default_rng(0))))
        silent = replace(batch.target, frames=torch.zeros_like(batch.target.frames))
        found = loss_of(made, batch), loss_of(made, replace(batch, target=silent))
        assert (found[0] != found[1]) is heard


def loss_of(made: TransferTask, batch: PairBatch) -> float:
    """With the same dropout each time."""
    torch.manual_seed(3)
    return float(made.loss(batch, np.random.default_rng(0), 0.5).value.detach())


def test_target_labels_have_no_say() -> None:
    """The task is never told them: two runs with other target truths are one run."""
    made = task(CONFIG)
    batch = next(iter(made.batches(np.random.default_rng(0))))
    assert set(batch.target.targets.tolist()) == {0}


def test_levelling_takes_a_corpus_to_mean_0_and_deviation_1() -> None:
    target = clips(6, 50.0)
    frames = np.concatenate(levelled(target, target))
    assert frames.mean(0) == pytest.approx(np.zeros(39), abs=1e-3)
    assert frames.std(0) == pytest.approx(np.ones(39), abs=1e-2)


def test_class_distances_are_between_means_of_one_class() -> None:
    features = np.array(
        [[0.0, 0.0], [2.0, 0.0], [9.0, 9.0], [4.0, 4.0], [9.0, 14.0]], np.float32
    )
    truth, domain = [0, 0, 1, 0, 1], [SOURCE, SOURCE, SOURCE, TARGET, TARGET]
    assert class_distances(features, truth, domain, 2) == pytest.approx([5.0, 5.0])
    # Neither corpus has the third class.
    assert np.isnan(class_distances(features, truth, domain, 3)[2])
