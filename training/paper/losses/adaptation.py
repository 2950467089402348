"""What every method of unsupervised domain adaptation is to the training loop.

A module that turns one `AdaptationBatch` into a term to *add* to the cross-entropy on
the source domain. What it learns itself, an adversarial head or a domain classifier, is
trained by the same backward pass through gradient reversal: give its parameters to the
optimiser beside the network's.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ser_stream.nn.mdd import full_precision


@dataclass(frozen=True, slots=True)
class AdaptationBatch:
    """One step's clips of both domains; no target labels are here to be looked at."""

    psi_source: Tensor
    """(B, 64), `Head.features`."""
    psi_target: Tensor
    """(B', 64)."""
    logits_source: Tensor
    """Of the main head, (B, n_classes)."""
    logits_target: Tensor
    """Of the main head, (B', n_classes)."""
    progress: float
    """Share of training done, 0 to 1."""


def reversal_ramp(x: float) -> float:
    """2 / (1 + exp(-x)) - 1: from 0 at 0 towards 1, as gradient reversal is let in."""
    return 2.0 / (1.0 + math.exp(-x)) - 1.0


class Adaptation(nn.Module, ABC):
    """A method of adaptation; in float32 also where the network runs in bfloat16."""

    def forward(self, batch: AdaptationBatch) -> Tensor:
        """The scalar to add to the loss."""
        with torch.autocast(batch.psi_source.device.type, enabled=False):
            return self.term(
                AdaptationBatch(
                    full_precision(batch.psi_source),
                    full_precision(batch.psi_target),
                    full_precision(batch.logits_source),
                    full_precision(batch.logits_target),
                    batch.progress,
                )
            )

    @abstractmethod
    def term(self, batch: AdaptationBatch) -> Tensor:
        """The same from float32 tensors, outside autocast."""


class NoAdaptation(Adaptation):
    """Zero: the source domain alone, as in the paper's Algorithm 4."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        del n_classes  # As the other methods.

    def term(self, batch: AdaptationBatch) -> Tensor:
        return batch.psi_source.new_zeros(())
