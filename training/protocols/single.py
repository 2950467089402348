"""Protocols within one corpus: `paper-10fold`, `emobox`, `loso`."""

from collections.abc import Sequence
from pathlib import Path

from ser_stream.errors import SourceError
from training.corpora import Utterance
from training.corpora.emobox import EMOBOX_FOLDS, emobox_fold_of
from training.protocols.fold import Fold

PAPER_SEED = 98
N_PAPER_FOLDS = 10
INNER_SHARE = 10
"""One in so many training clips of a fold chooses the epoch, where one is chosen."""


def paper_folds(utterances: Sequence[Utterance], *, inner: bool) -> list[Fold]:
    """The paper's protocol: random tenths of all clips, shuffled with seed 98.

    Speakers and sentences are shared between training and test. The order of the clips
    before the shuffle is that of their file names; the paper's is not known.

    Args:
        utterances: of one corpus.
        inner: hold a tenth of the training clips out, stratified over the emotions, to
            choose the epoch.
    """
    from sklearn.model_selection import KFold, StratifiedShuffleSplit

    order = sorted(range(len(utterances)), key=lambda i: utterances[i].clip)
    if len(order) < N_PAPER_FOLDS:
        raise SourceError(
            f"{len(order)} clips cannot be split into {N_PAPER_FOLDS} folds"
        )
    result = []
    split = KFold(N_PAPER_FOLDS, shuffle=True, random_state=PAPER_SEED).split(order)
    for k, (train, test) in enumerate(split, start=1):
        kept = [order[i] for i in train]
        held: list[int] = []
        if inner:
            emotions = [utterances[i].emotion for i in kept]
            rare, n = min((emotions.count(e), e) for e in emotions)[::-1]
            if n < 2:
                raise SourceError(
                    f"fold-{k} of {utterances[0].corpus} has one training clip of "
                    f"{rare}; an inner split needs two or more of each emotion"
                )
            size = max(len(kept) // INNER_SHARE, len(set(emotions)))
            chooser = StratifiedShuffleSplit(1, test_size=size, random_state=PAPER_SEED)
            a, b = next(chooser.split(kept, emotions))
            kept, held = [kept[i] for i in a], [kept[i] for i in b]
        result.append(
            Fold(f"fold-{k}", tuple(kept), tuple(order[i] for i in test), tuple(held))
        )
    return result


def emobox_folds(
    utterances: Sequence[Utterance], table: Path = EMOBOX_FOLDS
) -> list[Fold]:
    """The folds of EmoBox (Ma et al., Interspeech 2024).

    RAVDESS (6 folds), SAVEE (4) and CASIA (4) keep speakers apart, EMODB (5) does not.

    Raises:
        SourceError: if a clip of the corpus has no fold, or a fold lacks a clip.
    """
    corpus = utterances[0].corpus
    fold_of = emobox_fold_of(corpus, table)
    stems = [utterance.clip for utterance in utterances]
    unknown = [stem for stem in stems if stem not in fold_of]
    absent = sorted(set(fold_of) - set(stems))
    if unknown or absent:
        what, names = ("has no fold for", unknown) if unknown else ("lacks", absent)
        raise SourceError(
            f"{corpus} {what} {len(names)} clips of EmoBox's folds, {names[0]} first; "
            f"`python -m training corpora {corpus}` tells what is missing"
        )
    return [
        Fold(
            f"fold-{k}",
            tuple(i for i, stem in enumerate(stems) if fold_of[stem] != k),
            tuple(i for i, stem in enumerate(stems) if fold_of[stem] == k),
        )
        for k in sorted(set(fold_of.values()))
    ]


def speaker_folds(utterances: Sequence[Utterance]) -> list[Fold]:
    """Leave one speaker out: a fold for each.

    Raises:
        SourceError: if there is only one speaker.
    """
    speakers = sorted({utterance.speaker for utterance in utterances})
    if len(speakers) < 2:
        raise SourceError(
            f"leaving one speaker out needs two or more; there is {len(speakers)}"
        )
    return [
        Fold(
            f"speaker-{speaker}",
            tuple(i for i, u in enumerate(utterances) if u.speaker != speaker),
            tuple(i for i, u in enumerate(utterances) if u.speaker == speaker),
        )
        for speaker in speakers
    ]
