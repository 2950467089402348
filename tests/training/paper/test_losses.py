"""Losses of the training loop, each beside an independent reference."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_stream.nn.mdd import ReluClassifier, margin_disparity
from training.paper.losses import (
    ADAPTATIONS,
    AdaptationBatch,
    margin_loss,
    published_loss,
)
from training.paper.losses.caam import Caam
from training.paper.losses.cdan import Cdan, multilinear_map
from training.paper.losses.dann import Dann
from training.paper.losses.domain import reversal_weight
from training.paper.losses.margin import smoothed

N_CLASSES = 5


def some_batch(progress: float = 0.5, seed: int = 0) -> AdaptationBatch:
    """7 clips of the source domain and 4 of the target, in float64."""
    generator = torch.Generator().manual_seed(seed)

    def leaf(*shape: int) -> Tensor:
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        return x.requires_grad_()

    return AdaptationBatch(
        leaf(7, 64), leaf(4, 64), leaf(7, N_CLASSES), leaf(4, N_CLASSES), progress
    )


def converted(batch: AdaptationBatch, dtype: torch.dtype) -> AdaptationBatch:
    return AdaptationBatch(
        batch.psi_source.to(dtype),
        batch.psi_target.to(dtype),
        batch.logits_source.to(dtype),
        batch.logits_target.to(dtype),
        batch.progress,
    )


def backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


def gradient(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad


# Margin loss.


def numpy_margin(p: Any, t: Any) -> float:
    """Eq. 4, clip by clip and class by class."""
    total = 0.0
    for clip in range(p.shape[0]):
        for k in range(p.shape[1]):
            total += t[clip, k] * max(0.0, 0.9 - p[clip, k]) ** 2
            total += 0.5 * (1.0 - t[clip, k]) * max(0.0, p[clip, k] - 0.1) ** 2
    return total / len(p)


def test_a_margin_loss_worked_by_hand() -> None:
    probs = torch.tensor([[0.7, 0.25, 0.05]])
    targets = torch.tensor([[1.0, 0.0, 0.0]])
    # (0.9 - 0.7)^2 + 0.5 (0.25 - 0.1)^2 + 0
    assert float(margin_loss(probs, targets)) == pytest.approx(0.04 + 0.01125)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_margin_and_published_loss_are_their_numpy_transcription(
    smoothing: float, rng: np.random.Generator
) -> None:
    z = 2.0 * rng.standard_normal((9, 7))
    y = rng.integers(7, size=9)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    t = np.full((9, 7), smoothing / 7)
    t[np.arange(9), y] += 1.0 - smoothing
    expected = numpy_margin(p, t)
    ours = margin_loss(torch.from_numpy(p), torch.from_numpy(t))
    assert float(ours) == pytest.approx(expected, rel=1e-12)

    both = published_loss(torch.from_numpy(z), torch.from_numpy(y), smoothing)
    expected += 0.392 * float(np.mean((p - t) ** 2))
    # The targets are made in float32.
    assert float(both) == pytest.approx(expected, rel=1e-6)


def test_published_loss_passes_gradcheck() -> None:
    z = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    y = torch.arange(6) % 5
    assert torch.autograd.gradcheck(lambda z: published_loss(z, y), z)


def test_published_loss_is_computed_in_float32_inside_autocast() -> None:
    z, y = torch.randn(6, 5).bfloat16(), torch.arange(6) % 5
    with torch.autocast("cpu", torch.bfloat16):
        loss = published_loss(z, y)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(published_loss(z.double(), y)), rel=1e-5)


def test_smoothing_ten_times_over_is_one_smoothing_of_two_thirds() -> None:
    y = torch.arange(4)
    labels = F.one_hot(y, 7).double().numpy()
    for _ in range(10):  # In place, as the published code goes over its folds.
        labels *= 0.9
        labels += 0.1 / 7
    np.testing.assert_allclose(smoothed(y, 7, 1.0 - 0.9**10), labels, atol=1e-7)


# What all adaptations share.


@pytest.mark.parametrize("name", ADAPTATIONS)
def test_each_method_gives_a_finite_float32_scalar_in_a_bfloat16_loop(
    name: str,
) -> None:
    batch = some_batch()
    low = converted(batch, torch.bfloat16)
    torch.manual_seed(0)
    method = ADAPTATIONS[name](N_CLASSES)
    with torch.autocast("cpu", torch.bfloat16):
        loss = method(low)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    expected = method.double()(converted(low, torch.float64))
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_no_adaptation_adds_nothing() -> None:
    method = ADAPTATIONS["none"](N_CLASSES)
    batch = some_batch()
    assert float(method(batch)) == 0.0
    assert list(method.parameters()) == []
    source = F.cross_entropy(batch.logits_source, torch.arange(7) % N_CLASSES)
    assert torch.equal(source + method(batch), source)


# CAAM.


def test_caam_gives_each_part_its_own_gradient() -> None:
    method = Caam(N_CLASSES, gamma=1.3, eta=0.7, reversal=0.4).double()
    batch = some_batch()
    loss = method(batch)
    backward(loss)

    plain = some_batch()
    adversary = ReluClassifier(N_CLASSES).double()
    adversary.load_state_dict(method.head.state_dict())
    m = margin_disparity(
        plain.logits_source,
        adversary(plain.psi_source),
        plain.logits_target,
        adversary(plain.psi_target),
        1.3,
    )
    backward(m)
    assert float(loss.detach()) == pytest.approx(0.7 * float(m.detach()))
    for name in ("psi_source", "psi_target"):
        ours, theirs = getattr(batch, name), getattr(plain, name)
        torch.testing.assert_close(gradient(ours), -0.4 * 0.7 * gradient(theirs))
    for ours, theirs in zip(method.parameters(), adversary.parameters(), strict=True):
        torch.testing.assert_close(gradient(ours), 0.7 * gradient(theirs))
    assert batch.logits_source.grad is None
    assert batch.logits_target.grad is None


def test_a_ramp_reverses_by_how_many_steps_were_taken() -> None:
    """2 / (1 + exp(-i / 50)) - 1 at step i, and no less after a kill."""

    def reversed_by(method: Caam) -> float:
        batch = some_batch()
        backward(method(batch))
        plain = some_batch()
        constant = Caam(N_CLASSES, reversal=1.0).double()
        constant.head.load_state_dict(method.head.state_dict())
        backward(constant(plain))
        ours, whole = gradient(batch.psi_target), gradient(plain.psi_target)
        share = float(ours.norm() / whole.norm())
        torch.testing.assert_close(ours, share * whole)
        return share

    method = Caam(N_CLASSES, reversal=0.5, ramp_steps=50.0).double()
    expected = [1.0 / (1.0 + math.exp(-i / 50)) - 0.5 for i in range(1, 102)]
    assert reversed_by(method) == pytest.approx(expected[0])
    for _ in range(99):
        method(some_batch())
    resumed = Caam(N_CLASSES, reversal=0.5, ramp_steps=50.0).double()
    resumed.load_state_dict(method.state_dict())
    assert reversed_by(resumed) == pytest.approx(expected[100])


# DANN and CDAN.


@pytest.mark.parametrize(
    ("progress", "weight"),
    [(0.0, 0.0), (0.1, 0.46211716), (0.5, 0.98661430), (1.0, 0.99990920)],
)
def test_the_reversal_grows_from_0_to_1(progress: float, weight: float) -> None:
    assert reversal_weight(progress) == pytest.approx(weight, abs=1e-8)
    # The same curve by another name.
    assert reversal_weight(progress) == pytest.approx(math.tanh(5.0 * progress))


def by_hand(classifier: nn.Module, x: Any) -> Any:
    """Probability of the target domain, in numpy."""
    weights = [p.detach().numpy() for p in classifier.parameters()]
    hidden = np.maximum(x @ weights[0].T + weights[1], 0.0)
    return 1.0 / (1.0 + np.exp(-(hidden @ weights[2].T + weights[3])[:, 0]))


def test_dann_is_its_numpy_transcription_and_skada_s_loss() -> None:
    method = Dann(N_CLASSES, eta=0.5).double()
    batch = some_batch()
    source = by_hand(method.classifier, batch.psi_source.detach().numpy())
    target = by_hand(method.classifier, batch.psi_target.detach().numpy())
    expected = -np.log(1.0 - source).mean() - np.log(target).mean()
    ours = float(method(batch).detach())
    assert ours == pytest.approx(0.5 * expected)

    deep = pytest.importorskip("skada.deep", exc_type=ImportError)
    # Labels come in float32.
    theirs = deep.DANNLoss()(
        torch.from_numpy(source).float(), torch.from_numpy(target).float()
    )
    assert ours == pytest.approx(0.5 * float(theirs), rel=1e-5)


def multilinear_by_hand(psi: Tensor, logits: Tensor) -> Any:
    p = torch.softmax(logits, 1).detach().numpy()
    return np.stack(
        [np.outer(a, b).ravel() for a, b in zip(p, psi.detach().numpy(), strict=True)]
    )


@pytest.mark.parametrize("entropy", [False, True])
def test_cdan_is_its_numpy_transcription(entropy: bool) -> None:
    method = Cdan(N_CLASSES, entropy=entropy).double()
    batch = some_batch()
    total = 0.0
    for psi, logits, is_target in (
        (batch.psi_source, batch.logits_source, False),
        (batch.psi_target, batch.logits_target, True),
    ):
        probs = by_hand(method.classifier, multilinear_by_hand(psi, logits))
        losses = -np.log(probs if is_target else 1.0 - probs)
        weights = np.ones(len(psi))
        if entropy:
            f = torch.softmax(logits, 1).detach().numpy()
            weights = 1.0 + np.exp((f * np.log(f)).sum(1))
        total += (weights * losses).sum() / weights.sum()
    assert float(method(batch).detach()) == pytest.approx(total)


def test_cdan_s_loss_and_map_are_skada_s() -> None:
    deep = pytest.importorskip("skada.deep._adversarial", exc_type=ImportError)
    method = Cdan(N_CLASSES).double()
    batch = some_batch()
    maps, probs = [], []
    for psi, logits in (
        (batch.psi_source, batch.logits_source),
        (batch.psi_target, batch.logits_target),
    ):
        # skada multiplies the network's output as it is: give one that ends in softmax.
        network = nn.Sequential(nn.Identity(), nn.Linear(64, N_CLASSES), nn.Softmax(1))
        network = network.double()
        module = deep.CDANModule(network, "0", nn.Identity()).train()
        theirs = module(psi.detach())[1]
        ours = multilinear_map(psi, network[1](psi))
        torch.testing.assert_close(ours, theirs)

        maps.append(multilinear_map(psi, logits).detach())
        probs.append(torch.sigmoid(method.classifier(maps[-1])).squeeze(1).float())
    loss = deep.CDANLoss()(*probs, batch.psi_source, batch.psi_target)
    ours = method(batch)
    assert float(ours.detach()) == pytest.approx(float(loss.detach()), rel=1e-5)


@pytest.mark.parametrize("kind", [Dann, Cdan])
def test_the_domain_classifier_learns_what_the_encoder_unlearns(
    kind: type[Dann | Cdan],
) -> None:
    torch.manual_seed(0)
    method = kind(N_CLASSES).double()
    learned, reversed_ = {}, {}
    for progress in (0.0, 0.1, 1.0):
        method.zero_grad()
        batch = some_batch(progress)
        backward(method(batch))
        learned[progress] = gradient(next(method.parameters())).clone()
        reversed_[progress] = gradient(batch.psi_source)
        # No gradient into the main head.
        assert batch.logits_source.grad is None
    # The classifier's gradient is the same throughout, the encoder's grows from zero.
    torch.testing.assert_close(learned[0.0], learned[1.0])
    assert not reversed_[0.0].any()
    torch.testing.assert_close(
        reversed_[0.1] / reversal_weight(0.1), reversed_[1.0] / reversal_weight(1.0)
    )
    # A step of the encoder down that gradient makes domains harder to tell apart.
    batch = some_batch(1.0)
    moved = replace(batch, psi_source=batch.psi_source - 0.1 * reversed_[1.0])
    assert float(method(moved).detach()) > float(method(batch).detach())


def test_entropy_conditioning_sends_the_main_head_a_reversed_gradient() -> None:
    method = Cdan(N_CLASSES, entropy=True).double()
    batch = some_batch(1.0)
    backward(method(batch))

    # By hand: the loss as a function of the logits in the weights alone.
    logits = batch.logits_target.detach().clone().requires_grad_()
    maps = multilinear_map(batch.psi_target, batch.logits_target).detach()
    losses = F.softplus(-method.classifier(maps)).squeeze(1).detach()
    f = torch.softmax(logits, 1)
    weights = 1.0 + torch.exp((f * f.log()).sum(1))
    backward((weights / weights.mean().detach() * losses).mean())
    torch.testing.assert_close(
        gradient(batch.logits_target), -reversal_weight(1.0) * gradient(logits)
    )


# All of them at work.


def target_accuracy(name: str, shift: tuple[float, float], **options: Any) -> float:
    """Train psi, f and a method on two blobs; the target is the source moved away."""
    torch.manual_seed(1)
    y = torch.arange(120) % 2
    across = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])[y]
    source = across + 0.25 * torch.randn(120, 2)
    target = across + torch.tensor(shift) + 0.25 * torch.randn(120, 2)

    psi = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 64))
    f = ReluClassifier(2)
    method = ADAPTATIONS[name](2, **options)
    parameters = [p for m in (psi, f, method) for p in m.parameters()]
    optimiser = torch.optim.Adam(parameters, 1e-3 if name == "caam" else 3e-3)
    for step in range(400):
        a, b = psi(source), psi(target)
        batch = AdaptationBatch(a, b, f(a), f(b), step / 400)
        loss = F.cross_entropy(batch.logits_source, y) + method(batch)
        optimiser.zero_grad()
        backward(loss)
        optimiser.step()
    with torch.no_grad():
        return float((f(psi(target)).argmax(1) == y).float().mean())


@pytest.mark.parametrize(
    ("name", "options", "shift"),
    [
        # A nearer target for CAAM: from further away it often ends with one class for
        # the whole domain.
        ("caam", {}, (0.8, 0.0)),
        ("dann", {}, (1.2, 1.5)),
        ("cdan", {}, (1.2, 1.5)),
        ("cdan", {"entropy": True}, (1.2, 1.5)),
    ],
)
def test_each_method_gains_on_training_on_source_alone(
    name: str, options: dict[str, Any], shift: tuple[float, float]
) -> None:
    gain = target_accuracy(name, shift, **options) - target_accuracy("none", shift)
    assert gain > 0.05
