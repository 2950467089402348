"""CAAM: the corpus-aware adversarial module of CTL-MTNet (Wen et al., IJCAI 2022)."""

from torch import Tensor

from ser_stream.nn.mdd import ReluClassifier, margin_disparity, reverse_gradient
from training.paper.losses.adaptation import Adaptation, AdaptationBatch


class Caam(Adaptation):
    """Eq. 5 to 7: eta M, with f' behind a gradient reversal layer.

    f' minimises eta M, psi receives -reversal * eta dM/dpsi, the main head nothing:
    only the source labels teach it (Eq. 5). For the sign of Eq. 6 see
    `margin_disparity`.

    In the paper the main head has the shape of f' as well (`ReluClassifier`).
    """

    def __init__(
        self,
        n_classes: int,
        *,
        gamma: float = 1.5,
        eta: float = 1.0,
        reversal: float = 1.0,
    ) -> None:
        """Beside the counts, the weights.

        Args:
            n_classes: classes of the main head.
            gamma: weight of the source domain in M.
            eta: weight of M in the loss.
            reversal: lambda of the gradient reversal layer.
        """
        super().__init__()
        self.head = ReluClassifier(n_classes)
        self.gamma = gamma
        self.eta = eta
        self.reversal = reversal

    def term(self, batch: AdaptationBatch) -> Tensor:
        return self.eta * margin_disparity(
            batch.logits_source,
            self.head(reverse_gradient(batch.psi_source, self.reversal)),
            batch.logits_target,
            self.head(reverse_gradient(batch.psi_target, self.reversal)),
            self.gamma,
        )
