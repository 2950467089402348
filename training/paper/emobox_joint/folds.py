"""EmoBox's folds of several corpora at once: joint fold k is test fold k of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from ser_stream.errors import ConfigError
from training.corpora import Utterance
from training.paper.reproduce.constants import N_EMOBOX_FOLDS
from training.protocols.single import emobox_folds
from training.recipe.config import TrainConfig


@dataclass(frozen=True, slots=True)
class JointFold:
    """One network: what it is trained on, and what it is scored on."""

    number: int
    train: tuple[Utterance, ...]
    """Clips of all corpora but the test clips below."""
    test: dict[str, tuple[Utterance, ...]]
    """By corpus, its test fold of this number. A corpus that has fewer folds is not
    here, and wholly in training."""

    @property
    def name(self) -> str:
        return f"fold-{self.number}"


def joint_folds(
    utterances: Sequence[Utterance], config: TrainConfig
) -> list[JointFold]:
    """All joint folds: as many as the corpus with most of them has.

    Args:
        utterances: clips of all corpora of the configuration.
        config: names the corpora; those without EmoBox folds are always in training.

    Raises:
        ConfigError: if no corpus has EmoBox folds.
        SourceError: if a corpus lacks a clip of its folds.
    """
    folds = {}
    for corpus in scored_corpora(config):
        clips = [u for u in utterances if u.corpus == corpus]
        folds[corpus] = [
            tuple(clips[i] for i in fold.test) for fold in emobox_folds(clips)
        ]
    if not folds:
        raise ConfigError(
            "no corpus of the configuration has EmoBox folds; those that have: "
            + ", ".join(N_EMOBOX_FOLDS)
        )
    result = []
    for k in range(max(map(len, folds.values()))):
        test = {corpus: parts[k] for corpus, parts in folds.items() if k < len(parts)}
        held_out = {u.name for part in test.values() for u in part}
        train = tuple(u for u in utterances if u.name not in held_out)
        result.append(JointFold(k + 1, train, test))
    return result


def scored_corpora(config: TrainConfig) -> list[str]:
    """The configuration's corpora that EmoBox has folds of."""
    return [c.name for c in config.corpora if c.name in N_EMOBOX_FOLDS]


def classes(
    utterances: Sequence[Utterance], config: TrainConfig
) -> dict[str, tuple[str, ...]]:
    """The emotions of each scored corpus, in the order of their names.

    Raises:
        ConfigError: if the configuration keeps one of them from training: EmoBox
            scores them all.
    """
    result = {}
    for corpus in config.corpora:
        if corpus.name in N_EMOBOX_FOLDS:
            of_corpus = {u.emotion for u in utterances if u.corpus == corpus.name}
            result[corpus.name] = tuple(sorted(of_corpus))
            taught = set(config.labels) & set(corpus.classes(config.labels))
            if missing := sorted(of_corpus - taught):
                raise ConfigError(
                    f"EmoBox scores {', '.join(missing)} of {corpus.name}, too; add it "
                    f"to `labels` and to `only` of {corpus.name}"
                )
    return result
