"""Cross-entropy where a corpus has no say about some classes."""

from torch import Tensor
from torch.nn import functional as F

UNLABELLED = -1
"""Target of a clip whose class is not known."""
NEVER = -1e4
"""Logit of a class that a corpus has no say about."""


def masked_logits(logits: Tensor, allowed: Tensor) -> Tensor:
    """Logits, (B, n_classes), those of classes not allowed far below all others."""
    return logits.masked_fill(~allowed, NEVER)


def masked_cross_entropy(
    logits: Tensor, targets: Tensor, allowed: Tensor, smoothing: float
) -> Tensor:
    """Mean cross-entropy among the classes that each clip's corpus may speak of.

    Args:
        logits: (B, n_classes).
        targets: class indices, (B,); `UNLABELLED` clips count for nothing.
        allowed: (B, n_classes), False where the corpus has no say.
        smoothing: of the labels; it goes to the allowed classes alone.
    """
    log_probs = F.log_softmax(masked_logits(logits, allowed), dim=-1)
    labelled = targets != UNLABELLED
    hit = -log_probs.gather(1, targets.clamp(min=0)[:, None])[:, 0]
    spread = -(log_probs * allowed).sum(1) / allowed.sum(1)
    each = ((1 - smoothing) * hit + smoothing * spread) * labelled
    return each.sum() / labelled.sum().clamp(min=1)
