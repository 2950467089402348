"""Protocol `cross`: train on one corpus, adapt to another, five classes."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from ser_stream.errors import SourceError
from training.corpora import Utterance
from training.protocols.fold import Fold
from training.protocols.names import CORPORA, PAPER_CLASSES

PAIRS = tuple(f"{source}-{target}" for source, target in permutations(CORPORA, 2))
"""The twelve ordered pairs, `source-target`."""


def five_classes(utterances: Sequence[Utterance]) -> list[Utterance]:
    return [u for u in utterances if u.emotion in PAPER_CLASSES]


def held_out_speakers(utterances: Sequence[Utterance]) -> list[str]:
    """The source speakers that choose the epoch: a fifth, at least one.

    They alternate by sex where the corpus tells it, and are the first by name.
    """
    sex = {u.speaker: u.sex for u in utterances}
    if len(sex) < 2:
        raise SourceError(
            "the source corpus has one speaker; two or more are needed, to choose an "
            "epoch on speakers that were not trained on"
        )
    by_sex = [
        sorted(s for s in sex if sex[s] == one) for one in sorted(set(sex.values()))
    ]
    order = [s[i] for i in range(len(sex)) for s in by_sex if i < len(s)]
    return order[: max(1, round(len(order) / 5))]


def cross_folds(utterances: Sequence[Utterance], source: str) -> list[Fold]:
    """Transductive scoring, as in the paper, and inductive scoring.

    - `transductive`: adapt to all clips of the target and score the same clips.
    - `inductive-1`, `inductive-2`: the target's speakers in two halves, mixed by sex;
      adapt to one half, score the other.

    Args:
        utterances: of both corpora, five classes.
        source: the corpus whose labels are used.
    """
    of_source = [i for i, u in enumerate(utterances) if u.corpus == source]
    of_target = [i for i, u in enumerate(utterances) if u.corpus != source]
    chosen = held_out_speakers([utterances[i] for i in of_source])
    train = tuple(i for i in of_source if utterances[i].speaker not in chosen)
    validation = tuple(i for i in of_source if utterances[i].speaker in chosen)
    sex = {utterances[i].speaker: utterances[i].sex for i in of_target}
    order = sorted(sex, key=lambda speaker: (sex[speaker], speaker))
    folds = [
        Fold("transductive", train, tuple(of_target), validation, tuple(of_target))
    ]
    for k in range(2):
        half = set(order[k::2])
        adapt = tuple(i for i in of_target if utterances[i].speaker not in half)
        test = tuple(i for i in of_target if utterances[i].speaker in half)
        folds.append(Fold(f"inductive-{k + 1}", train, test, validation, adapt))
    return folds


def supervised_split(truth: Sequence[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Table S5: a random 80 % of the target with labels, the other 20 % scored.

    The paper does not say how it split; its figures are multiples of 1/82, 1/200 and
    1/72, a fifth of EMODB, CASIA and SAVEE.
    """
    from sklearn.model_selection import train_test_split

    a, b = train_test_split(
        np.arange(len(truth)), test_size=0.2, random_state=seed, stratify=truth
    )
    return a, b
