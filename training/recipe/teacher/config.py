"""How much the teacher has to say."""

from dataclasses import dataclass

from ser_stream.errors import ConfigError


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

    def __post_init__(self) -> None:
        for name in ("component_weight", "soft_weight"):
            if not getattr(self, name) >= 0:
                raise ConfigError(
                    f"teacher.{name} is {getattr(self, name)}; allowed: 0 or more"
                )
        for name, least in (("components", 1), ("groups", 2)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"teacher.{name} is {getattr(self, name)}; allowed: {least} or more"
                )
        if not self.regularisation > 0:
            raise ConfigError(
                f"teacher.regularisation is {self.regularisation}; allowed: above 0"
            )
