"""What DANN and CDAN share: a classifier of domains, and how hard it is fought."""

from torch import Tensor, nn
from torch.nn import functional as F

from training.paper.losses.adaptation import reversal_ramp

N_FEATURES = 64
"""Dimensions of psi."""


class DomainClassifier(nn.Sequential):
    """(B, n_features) -> logit (B, 1) of "this clip is of the target domain".

    One hidden layer of 100, as Ganin et al. (2016) have on digits. Long et al. have two
    of 1024, many times this whole network; DANN and CDAN differ here in their input
    alone.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__(nn.Linear(n_features, 100), nn.ReLU(), nn.Linear(100, 1))


def reversal_weight(progress: float) -> float:
    """Lambda from 0 to 1 over training: 2 / (1 + exp(-10 p)) - 1.

    The schedule of Ganin et al. (2016), which Long et al. (2018) take over. The encoder
    is spared the noise of a domain classifier that knows nothing yet; the classifier
    itself learns at full weight from the start.
    """
    return reversal_ramp(10.0 * progress)


def domain_losses(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each clip, (B,) and (B',), from the logits (B, 1), (B', 1)."""
    # -log(1 - sigmoid(z)) = softplus(z), and -log(sigmoid(z)) = softplus(-z).
    return F.softplus(source).squeeze(-1), F.softplus(-target).squeeze(-1)
