"""CAAM: the corpus-aware adversarial module of CTL-MTNet (Wen et al., IJCAI 2022)."""

import torch
from torch import Tensor

from ser_stream.nn.mdd import ReluClassifier, margin_disparity, reverse_gradient
from training.paper.losses.adaptation import (
    Adaptation,
    AdaptationBatch,
    reversal_ramp,
)


class Caam(Adaptation):
    """Eq. 5 to 7: eta M, with f' behind a gradient reversal layer.

    f' minimises eta M, psi receives -reversal * eta dM/dpsi, the main head nothing:
    only the source labels teach it (Eq. 5). For the sign of Eq. 6 see
    `margin_disparity`.

    In the paper the main head has the shape of f' as well (`ReluClassifier`).
    """

    steps: Tensor

    def __init__(
        self,
        n_classes: int,
        *,
        gamma: float = 1.5,
        eta: float = 1.0,
        reversal: float = 1.0,
        ramp_steps: float = 0.0,
    ) -> None:
        """Beside the counts, the weights.

        Args:
            n_classes: classes of the main head.
            gamma: weight of the source domain in M.
            eta: weight of M in the loss.
            reversal: lambda of the gradient reversal layer.
            ramp_steps: lambda grows from 0 to `reversal`, 2 / (1 + exp(-steps /
                ramp_steps)) - 1 of it; 1000 in the authors' code, nothing in the text.
                0: it is there from the start.
        """
        super().__init__()
        self.head = ReluClassifier(n_classes)
        self.gamma = gamma
        self.eta = eta
        self.reversal = reversal
        self.ramp_steps = ramp_steps
        if ramp_steps:
            # With the checkpoint, so that a resumed run goes on where it was.
            self.register_buffer("steps", torch.zeros(()))

    def _reversal(self) -> float:
        if not self.ramp_steps:
            return self.reversal
        self.steps += 1.0
        return self.reversal * reversal_ramp(self.steps.item() / self.ramp_steps)

    def term(self, batch: AdaptationBatch) -> Tensor:
        reversal = self._reversal()
        return self.eta * margin_disparity(
            batch.logits_source,
            self.head(reverse_gradient(batch.psi_source, reversal)),
            batch.logits_target,
            self.head(reverse_gradient(batch.psi_target, reversal)),
            self.gamma,
        )
