"""The margin loss of the single-corpus CPAC (Wen et al., IJCAI 2022, Eq. 4)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ser_stream.nn.mdd import full_precision

UPPER = 0.9
"""m+: a clip's own class costs nothing above this probability."""
LOWER = 0.1
"""m-: another class costs nothing below this probability."""
OTHERS = 0.5
"""rho: weight of the other classes."""
SQUARED_ERROR = 0.392
"""Weight of the mean squared error in the published code, as in capsule networks."""


def margin_loss(probs: Tensor, targets: Tensor) -> Tensor:
    """Eq. 4: sum_k T_k max(0, m+ - p_k)^2 + rho (1 - T_k) max(0, p_k - m-)^2.

    The paper's |V_k|, a capsule's length, is the softmax output p_k in its code.

    Args:
        probs: softmax output, (B, n).
        targets: T, (B, n); soft if labels are smoothed, and each class then has a share
            of both terms, as the published Keras code works out.

    Returns:
        Sum over classes, mean over the batch.
    """
    own = targets * F.relu(UPPER - probs) ** 2
    other = (1.0 - targets) * F.relu(probs - LOWER) ** 2
    return (own + OTHERS * other).sum(-1).mean()


def smoothed(targets: Tensor, n_classes: int, smoothing: float) -> Tensor:
    """Classes (B,) -> (1 - smoothing) one-hot + smoothing / n, (B, n) float32.

    The published code smooths the same array again in every fold. In its k-th fold,
    from 1, that comes to one smoothing of 1 - (1 - smoothing)^k: 0.65 in the tenth.
    """
    one_hot = F.one_hot(targets, n_classes).float()
    return one_hot * (1.0 - smoothing) + smoothing / n_classes


def published_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.1) -> Tensor:
    """The loss of the published single-corpus code: margin + 0.392 mean squared error.

    Args:
        logits: (B, n).
        targets: classes, (B,).
        smoothing: share of each label that is spread over all classes.

    Returns:
        A scalar; the squared error is a mean over clips and classes.
    """
    probs = torch.softmax(full_precision(logits), dim=-1)
    soft = smoothed(targets, probs.shape[-1], smoothing).to(probs.dtype)
    return margin_loss(probs, soft) + SQUARED_ERROR * F.mse_loss(probs, soft)
