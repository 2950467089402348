"""What the project knows of one corpus: its terms, its counts, its layout."""

from dataclasses import dataclass, field
from enum import StrEnum

from training.corpora.layout import Layout


class Use(StrEnum):
    """What a model that was trained on a corpus may be used for."""

    ANY = "any"
    NON_COMMERCIAL = "non-commercial"
    RESEARCH = "research only"
    UNKNOWN = "unknown"
    """No terms could be established: such a model is not passed on."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Clips by emotion and by speaker."""

    emotions: dict[str, int]
    speakers: dict[str, int] = field(default_factory=dict)
    """Empty where they are not listed, or the corpus does not name them."""
    doubled: frozenset[frozenset[str]] = frozenset()
    """Names of clips that are one recording in the release itself."""
    n_unlisted: int = 0
    """Number of the speakers that are named in the corpus, and not listed here."""
    part_of: str = ""
    """Where these are the counts of the part in use: what the whole release holds."""

    @property
    def n_speakers(self) -> int:
        """0 where the corpus names none."""
        return len(self.speakers) or self.n_unlisted

    @property
    def clips(self) -> int:
        return sum(self.emotions.values())


@dataclass(frozen=True, slots=True)
class Corpus:
    """All about one corpus but its recordings."""

    folder: str
    """Its folder's name, by which configurations call it."""
    title: str
    """As its makers write it."""
    languages: tuple[str, ...]
    licence: str
    use: Use
    citation: str
    counts: Counts
    notice: str = ""
    """What its licence wants to be said of a model."""
    layout: Layout | None = None
    """Its publisher's; None where it is read as a table or audformat database alone."""
    paper: str = ""
    """Its name in the paper's tables; empty where it is none of their four."""
    acted: bool = True
    """False where nobody was asked for an emotion, and one is assumed of all clips."""
    unnamed: frozenset[str] = frozenset()
    """What its table has in place of a speaker who is not named."""
