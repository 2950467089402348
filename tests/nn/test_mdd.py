"""The adversarial layers: the reversal, M against other implementations, its sign."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor
from torch.nn import functional as F

from ser_stream.nn.mdd import (
    ReluClassifier,
    log_one_minus_softmax,
    margin_disparity,
    reverse_gradient,
)

Logits = tuple[Tensor, Tensor, Tensor, Tensor]


def some_logits(seed: int = 0, n: int = 5, size: float = 2.0) -> Logits:
    """Source f and f', target f and f'; batches of 6 and 9."""
    generator = torch.Generator().manual_seed(seed)

    def one(rows: int) -> Tensor:
        shape = (rows, n)
        return size * torch.randn(shape, generator=generator, dtype=torch.float64)

    return one(6), one(6), one(9), one(9)


def numpy_m(*logits: Tensor, gamma: float) -> float:
    """Eq. 6 put right, written down again."""

    def softmax(z: Tensor) -> Any:
        e = np.exp(z.numpy() - z.numpy().max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    f_s, adversarial_s, f_t, adversarial_t = map(softmax, logits)
    target = np.mean([-(f_t[i] @ np.log(1 - adversarial_t[i])) for i in range(9)])
    source = np.mean([-(f_s[i] @ np.log(adversarial_s[i])) for i in range(6)])
    return float(target + gamma * source)


def test_the_reversal_is_the_identity_forwards() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    assert torch.equal(reverse_gradient(x, 0.3), x)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0, 2.5])
def test_the_reversal_gives_minus_the_numerical_gradient(weight: float) -> None:
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)

    def scalar(x: Tensor) -> Tensor:
        return (torch.sin(x) * x).sum()

    scalar(reverse_gradient(x, weight)).backward()  # type: ignore[no-untyped-call]
    # Central differences: 1e-5 leaves an error of about 1e-10.
    numerical = torch.zeros_like(x)
    for i in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=torch.float64)
        step[i] = 1e-5
        step = step.view_as(x)
        with torch.no_grad():
            slope = (scalar(x + step) - scalar(x - step)) / 2e-5
        numerical.view(-1)[i] = slope
    assert x.grad is not None
    torch.testing.assert_close(x.grad, -weight * numerical, atol=1e-8, rtol=1e-7)


def test_two_reversals_pass_gradcheck() -> None:
    # One alone is no derivative of what it computes; -w times -1/w is.
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)

    def twice(x: Tensor) -> Tensor:
        return torch.tanh(reverse_gradient(reverse_gradient(x, 0.4), 2.5))

    assert torch.autograd.gradcheck(twice, x)
    assert torch.autograd.gradgradcheck(twice, x)


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("gamma", [1.0, 1.5, 4.0])
def test_m_is_its_numpy_transcription(gamma: float, n: int) -> None:
    logits = some_logits(n=n)
    ours = float(margin_disparity(*logits, gamma))
    assert ours == pytest.approx(numpy_m(*logits, gamma=gamma), rel=1e-12)


def test_m_passes_gradcheck_and_leaves_f_alone() -> None:
    f_s, adversarial_s, f_t, adversarial_t = some_logits()
    adversarial_s.requires_grad_()
    adversarial_t.requires_grad_()

    def of_adversarial(source: Tensor, target: Tensor) -> Tensor:
        return margin_disparity(f_s, source, f_t, target)

    assert torch.autograd.gradcheck(of_adversarial, (adversarial_s, adversarial_t))
    f_s.requires_grad_()
    f_t.requires_grad_()
    margin_disparity(f_s, adversarial_s, f_t, adversarial_t).backward()  # type: ignore[no-untyped-call]
    assert f_s.grad is None
    assert f_t.grad is None


@pytest.mark.parametrize("gap", [-700.0, -40.0, -1.0, 0.0, 1.0, 40.0, 700.0])
def test_log_one_minus_softmax_is_exact_at_both_ends(gap: float) -> None:
    # Logits (gap, 0, 0): 1 - softmax is 2 / (e^gap + 2) for the first class.
    z = torch.tensor([gap, 0.0, 0.0])
    first = -np.log1p(np.exp(gap) / 2.0)
    other = -np.log1p(1.0 / (np.exp(gap) + 1.0))
    expected = torch.tensor([first, other, other], dtype=torch.float32)
    torch.testing.assert_close(
        log_one_minus_softmax(z), expected, rtol=2e-6, atol=1e-30
    )


def test_m_stays_finite_where_probabilities_round_to_0_and_1() -> None:
    f_s, adversarial_s, f_t, adversarial_t = (
        z.float().requires_grad_() for z in some_logits(size=1e4)
    )
    m = margin_disparity(f_s, adversarial_s, f_t, adversarial_t)
    m.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(m)
    for z in (adversarial_s, adversarial_t):
        assert z.grad is not None
        assert torch.isfinite(z.grad).all()
        assert z.grad.abs().max() > 0.0


def test_m_is_computed_in_float32_inside_autocast() -> None:
    a, b, c, d = (z.bfloat16() for z in some_logits())
    with torch.autocast("cpu", torch.bfloat16):
        m = margin_disparity(a, b, c, d)
    assert m.dtype == torch.float32
    expected = margin_disparity(a.double(), b.double(), c.double(), d.double())
    assert float(m) == pytest.approx(float(expected), rel=1e-6)


def test_m_agrees_with_skada_where_f_is_certain() -> None:
    # skada follows Zhang et al.: the class of highest probability stands for f. So give
    # an f that is certain. Two more things of its own are kept out: it smooths 1 - f'
    # (set to 0), and for the target it averages over every pair of clip and label,
    # which is the same only where all labels of the batch are one.
    deep = pytest.importorskip("skada.deep", exc_type=ImportError)
    f_s, adversarial_s, f_t, adversarial_t = some_logits()
    certain_s = 1e4 * F.one_hot(f_s.argmax(1), 5).double()
    certain_t = 1e4 * F.one_hot(torch.full((len(f_t),), 3), 5).double()
    loss = deep.MDDLoss(gamma=1.5)
    loss.disc_criterion_t.smoothing = 0.0
    theirs = loss(certain_s, certain_t, adversarial_s, adversarial_t)
    ours = margin_disparity(certain_s, adversarial_s, certain_t, adversarial_t, 1.5)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-9)


def printed_d(
    f_source: Tensor, adversarial_source: Tensor, f_target: Tensor, target: Tensor
) -> Tensor:
    """Eq. 6 as it stands in the paper."""
    f_s, f_t = torch.softmax(f_source, 1), torch.softmax(f_target, 1)
    on_target = -(f_t * log_one_minus_softmax(target)).sum(1).mean()
    on_source = -(f_s * F.log_softmax(adversarial_source, 1)).sum(1).mean()
    return on_target - 1.5 * on_source


@pytest.mark.parametrize("form", ["put right", "as printed"])
def test_only_the_corrected_sign_makes_the_adversary_disagree_on_target(
    form: str,
) -> None:
    # Three classes, told apart by three features that both domains have; in the target
    # domain three more features tell them apart too. psi is fixed; f is fitted on
    # source before.
    torch.manual_seed(0)
    y = torch.arange(150) % 3
    place = 2.0 * F.one_hot(y, 6).float()
    source = place + 0.2 * torch.randn(150, 6)
    target = place + place.roll(3, dims=1) + 0.2 * torch.randn(150, 6)

    f, adversary = ReluClassifier(3, 6), ReluClassifier(3, 6)
    optimiser = torch.optim.Adam(f.parameters(), 0.05)
    for _ in range(100):
        optimiser.zero_grad()
        F.cross_entropy(f(source), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    f_source, f_target = f(source).detach(), f(target).detach()
    assert torch.equal(f_source.argmax(1), y)
    assert torch.equal(f_target.argmax(1), y)

    optimiser = torch.optim.Adam(adversary.parameters(), 0.05)
    for _ in range(300):
        logits = (f_source, adversary(source), f_target, adversary(target))
        # Eq. 7: f' maximises the printed D.
        loss = margin_disparity(*logits) if form == "put right" else -printed_d(*logits)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def agreement(x: Tensor, said: Tensor) -> float:
        return float((adversary(x).argmax(1) == said.argmax(1)).float().mean())

    assert agreement(source, f_source) > 0.95
    if form == "put right":
        assert agreement(target, f_target) < 0.05
    else:
        assert agreement(target, f_target) > 0.95
