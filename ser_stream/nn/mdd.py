"""Margin disparity discrepancy: how far apart two classifiers are on two domains.

Training and online adaptation both use this; Zhang et al. (ICML 2019) as CAAM applies
it (Wen et al., IJCAI 2022, Eq. 5 to 7). The main head f classifies psi; an adversarial
head f' of the same shape learns to agree with f on the source domain and to disagree on
the target domain. The encoder, behind a gradient reversal layer, learns a psi on which
f' cannot do both.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradient, None


def reverse_gradient(x: Tensor, weight: float = 1.0) -> Tensor:
    """The gradient reversal layer: `x` forwards, -`weight` x gradient backwards.

    Ganin et al., "Domain-adversarial training of neural networks", JMLR 2016;
    `weight` is their lambda.
    """
    result: Tensor = _ReverseGradient.apply(x, weight)  # type: ignore[no-untyped-call]
    return result


class ReluClassifier(nn.Sequential):
    """ReLU -> linear: psi (B, 64) -> logits (B, n_classes).

    Both heads of CAAM, f and f', have this shape.
    """

    def __init__(self, n_classes: int, n_features: int = 64) -> None:
        super().__init__(nn.ReLU(), nn.Linear(n_features, n_classes))


def margin_disparity(
    logits_source: Tensor,
    adversarial_source: Tensor,
    logits_target: Tensor,
    adversarial_target: Tensor,
    gamma: float = 1.5,
) -> Tensor:
    """M = -mean_t sum sg(f) log(1 - f') - gamma mean_s sum sg(f) log f'.

    f' minimises M. The second term, small where f' says what f says, asks for agreement
    on the source domain; the first, small where f' denies what f says, for disagreement
    on the target domain. sg: no gradient passes.

    This is Eq. 6 of CTL-MTNet with the sign of its target term put right. As printed,
    D = [-mean_t sum f log(1 - f')] - gamma [-mean_s sum f log f'] and f' *maximises* D
    (Eq. 7). That makes 1 - f' small where f is large: f' would agree with f on the
    target domain too, and tell nothing about the distance of the domains. The authors'
    code and Zhang et al. minimise M. In Zhang et al. f stands for its class of highest
    probability; here, as in the authors' code, for all its probabilities.

    Args:
        logits_source: of f, (B, n); no gradient passes into them.
        adversarial_source: logits of f' for the same clips, (B, n).
        logits_target: of f, (B', n); no gradient passes into them.
        adversarial_target: logits of f' for the same clips, (B', n).
        gamma: weight of the source term; the margin is log(gamma).

    Returns:
        A scalar, at least 0. In float32 for inputs of less precision.
    """
    f_source = torch.softmax(full_precision(logits_source.detach()), dim=-1)
    f_target = torch.softmax(full_precision(logits_target.detach()), dim=-1)
    agree = F.log_softmax(full_precision(adversarial_source), dim=-1)
    deny = log_one_minus_softmax(full_precision(adversarial_target))
    disparity_source = -(f_source * agree).sum(-1).mean()
    disparity_target = -(f_target * deny).sum(-1).mean()
    return disparity_target + gamma * disparity_source


def log_one_minus_softmax(logits: Tensor) -> Tensor:
    """log(1 - softmax(logits)) over the last axis, of two classes or more: (..., n).

    Exact where the softmax rounds to 0 or 1, so nothing is clamped: with z the logits,
    1 - softmax(z)_k = sigmoid(logsumexp of the others - z_k).
    """
    n = logits.shape[-1]
    itself = torch.eye(n, dtype=torch.bool, device=logits.device)
    others = logits.unsqueeze(-2).expand(*logits.shape[:-1], n, n)
    rest = torch.logsumexp(others.masked_fill(itself, -torch.inf), dim=-1)
    return F.logsigmoid(rest - logits)


def full_precision(x: Tensor) -> Tensor:
    """`x` in float32 if it has less: losses are not for bfloat16."""
    return x if x.dtype == torch.float64 else x.float()
