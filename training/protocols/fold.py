"""One split of a list of utterances."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices into the utterances of an experiment."""

    name: str
    train: tuple[int, ...]
    """Labelled clips the weights are fitted to."""
    test: tuple[int, ...]
    """Clips that are scored."""
    validation: tuple[int, ...] = ()
    """Labelled clips that choose an epoch; of the training's corpus, never tested."""
    adapt: tuple[int, ...] = ()
    """Clips of the target corpus whose audio is used, but not their labels."""

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        names = ("train", "validation", "adapt", "test")
        return {name: getattr(self, name) for name in names}
