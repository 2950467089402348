"""CDAN: conditional adversarial domain adaptation (Long et al., NeurIPS 2018)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ser_stream.nn.mdd import reverse_gradient
from training.paper.losses.adaptation import Adaptation, AdaptationBatch
from training.paper.losses.domain import (
    N_FEATURES,
    DomainClassifier,
    domain_losses,
    reversal_weight,
)


class Cdan(Adaptation):
    """A domain classifier on psi x softmax(logits); source mean plus target mean.

    No gradient passes into the softmax of the map, as in the authors' code; that code
    takes one mean over both domains, half of this. Its random projection is for maps of
    more than 4096 numbers; here they are 64 n_classes.
    """

    def __init__(
        self, n_classes: int, *, eta: float = 1.0, entropy: bool = False
    ) -> None:
        """Beside the counts, the weight and the variant.

        Args:
            n_classes: classes of the main head.
            eta: weight of the term in the loss.
            entropy: CDAN+E: clips that the main head is sure of weigh more, by
                1 + exp(-entropy). As in the authors' code, each domain's weights are
                divided by their sum, and through them a reversed gradient reaches the
                main head.
        """
        super().__init__()
        self.classifier = DomainClassifier(N_FEATURES * n_classes)
        self.eta = eta
        self.entropy = entropy

    def term(self, batch: AdaptationBatch) -> Tensor:
        weight = reversal_weight(batch.progress)
        source_map = multilinear_map(batch.psi_source, batch.logits_source)
        target_map = multilinear_map(batch.psi_target, batch.logits_target)
        source, target = domain_losses(
            self.classifier(reverse_gradient(source_map, weight)),
            self.classifier(reverse_gradient(target_map, weight)),
        )
        if self.entropy:
            source = source * _certainty(batch.logits_source, weight)
            target = target * _certainty(batch.logits_target, weight)
        return self.eta * (source.mean() + target.mean())


def multilinear_map(psi: Tensor, logits: Tensor) -> Tensor:
    """Every product of a feature and a probability: (B, n_classes n_features)."""
    probs = torch.softmax(logits.detach(), dim=-1)
    return (probs.unsqueeze(2) * psi.unsqueeze(1)).flatten(1)


def _certainty(logits: Tensor, reversal: float) -> Tensor:
    """Weights (B,) of mean 1, higher for lower entropy of the main head's output."""
    log_probs = F.log_softmax(logits, dim=-1)
    entropy = -(log_probs.exp() * log_probs).sum(-1)
    weights = 1.0 + torch.exp(-reverse_gradient(entropy, reversal))
    return weights / weights.mean().detach()
