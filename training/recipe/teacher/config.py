"""How much the teacher has to say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """How much the teacher has to say."""

    components: int = 64
    component_weight: float = 1.0
    """Of the loss on the components; 1: their unexplained share of variance."""
    soft_weight: float = 0.5
    """Of the loss on the soft labels."""
    regularisation: float = 0.0005
    """C of the logistic regression."""
    groups: int = 5
    """Of speakers; each is labelled by a classifier of the others."""
