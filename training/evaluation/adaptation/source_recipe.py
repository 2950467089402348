"""The shipped recipe trained on one corpus alone: what adaptation begins from."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.corpora import Utterance
from training.evaluation.crossval import speaker_folds
from training.protocols.names import PAPER_CLASSES
from training.recipe.config import CorpusConfig, TrainConfig

EPOCHS = 36
"""As of the bundle `open`."""
N_FOLDS = {"emodb": 5}
"""Of these groups of speakers one is held out; of corpora not named here, of four."""


@dataclass(frozen=True, slots=True)
class SourceSplit:
    """A source corpus, split by speaker; clips of the five classes alone."""

    train: list[Utterance]
    canary: list[Utterance]
    """Every other clip of held-out speakers: for calibration and acceptance."""
    score: list[Utterance]
    """Their other clips: what adaptation costs on the source is measured on these."""
    held_out: list[str]


def split_source(
    utterances: Sequence[Utterance], corpus: str, seed: int
) -> SourceSplit:
    """Hold out a group of speakers; another one for the next seed."""
    groups = speaker_folds(utterances, corpus, N_FOLDS.get(corpus, 4))
    held_out = groups[seed % len(groups)]
    clips = [u for u in utterances if u.corpus == corpus and u.emotion in PAPER_CLASSES]
    # In turn within each speaker and class, so that both halves have all of them.
    others = sorted(
        (u for u in clips if u.speaker in held_out),
        key=lambda u: (u.speaker, u.emotion, u.name),
    )
    return SourceSplit(
        [u for u in clips if u.speaker not in held_out],
        others[::2],
        others[1::2],
        held_out,
    )


def source_config(corpus: str, seed: int) -> TrainConfig:
    return TrainConfig(
        name=f"{corpus}-seed-{seed}",
        corpora=(CorpusConfig(corpus),),
        epochs=EPOCHS,
        seed=seed,
    )
