"""Losses: what the training loop minimises, and what adaptation adds to it.

`ADAPTATIONS[name](n_classes, **options)` builds a method. `nmftsl` is not among them:
it is no loss.
"""

from collections.abc import Callable

from training.paper.losses.adaptation import Adaptation, AdaptationBatch, NoAdaptation
from training.paper.losses.caam import Caam
from training.paper.losses.cdan import Cdan
from training.paper.losses.dann import Dann
from training.paper.losses.margin import margin_loss, published_loss

ADAPTATIONS: dict[str, Callable[..., Adaptation]] = {
    "none": NoAdaptation,
    "both-statistics": NoAdaptation,
    "caam": Caam,
    "dann": Dann,
    "cdan": Cdan,
}

__all__ = [
    "ADAPTATIONS",
    "Adaptation",
    "AdaptationBatch",
    "margin_loss",
    "published_loss",
]
