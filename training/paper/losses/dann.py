"""DANN: domain-adversarial training of neural networks (Ganin et al., JMLR 2016)."""

from torch import Tensor

from ser_stream.nn.mdd import reverse_gradient
from training.paper.losses.adaptation import Adaptation, AdaptationBatch
from training.paper.losses.domain import (
    N_FEATURES,
    DomainClassifier,
    domain_losses,
    reversal_weight,
)


class Dann(Adaptation):
    """A domain classifier on psi; source mean plus target mean, as in the paper.

    Many codes take one mean over both, half of this.
    """

    def __init__(self, n_classes: int, *, eta: float = 1.0) -> None:
        super().__init__()
        del n_classes  # Domains are told apart whatever the classes.
        self.classifier = DomainClassifier(N_FEATURES)
        self.eta = eta

    def term(self, batch: AdaptationBatch) -> Tensor:
        weight = reversal_weight(batch.progress)
        source, target = domain_losses(
            self.classifier(reverse_gradient(batch.psi_source, weight)),
            self.classifier(reverse_gradient(batch.psi_target, weight)),
        )
        return self.eta * (source.mean() + target.mean())
