"""Features of all training clips -> what CPAC is to learn beside the labels.

Principal components say what the encoders tell clips apart by; soft labels, of a linear
classifier that never saw the speaker, say which clips are ambiguous. Both over speech
of the training speakers alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser_stream.errors import SourceError
from ser_stream.nn.masked import UNLABELLED
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.recipe.speaker_memory import SHRINK_CLIPS
from training.recipe.teacher.config import TeacherConfig
from training.recipe.teacher.masked_regression import MaskedRegression


@dataclass(frozen=True, slots=True)
class Targets:
    """For every clip, in the order of the features."""

    components: FloatArray
    """(n, k), scaled so that the sum of their variances is 1."""
    soft: FloatArray
    """(n, n_classes), sum 1; also over classes that the corpus does not teach."""


def make_targets(
    features: FloatArray,
    utterances: Sequence[Utterance],
    targets: np.ndarray,
    allowed: np.ndarray,
    config: TeacherConfig,
) -> Targets:
    """Components and soft labels.

    Clips of unnamed speakers count as one person's: some may be.

    Args:
        features: of each clip, (n, m).
        utterances: the clips.
        targets: class indices, (n,).
        allowed: (n, n_classes), False where the corpus has no say.
        config: how.

    Raises:
        SourceError: if too few speakers or classes are left to learn soft labels from.
    """
    speakers = np.array([u.person for u in utterances])
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    own = _less_speaker(scaled, speakers)
    corpora = np.array([u.corpus for u in utterances])
    return Targets(
        _components(scaled, config.components),
        _soft(own, targets, allowed, speakers, corpora, config),
    )


def _components(x: FloatArray, n: int) -> FloatArray:
    _, _, rows = np.linalg.svd(x, full_matrices=False)
    scores = x @ rows[:n].T
    result: FloatArray = (scores / np.sqrt(scores.var(0).sum())).astype(np.float32)
    return result


def _soft(
    x: FloatArray,
    targets: np.ndarray,
    allowed: np.ndarray,
    speakers: np.ndarray,
    corpora: np.ndarray,
    config: TeacherConfig,
) -> FloatArray:
    labelled = targets != UNLABELLED
    soft = np.zeros(allowed.shape, np.float32)
    groups = _groups(speakers[labelled], config.groups)
    if not labelled.all():
        # From these no classifier learns, so that of all others may judge them.
        groups.append(np.unique(speakers[~labelled]))
    for group in groups:
        held_out = np.isin(speakers, group)
        train = labelled & ~held_out
        if len(np.unique(targets[train])) < 2:
            raise SourceError(
                "[teacher] needs clips of two classes or more of other speakers than "
                f"{', '.join(group)}, which it is not to see; there are "
                f"{len(np.unique(speakers))} speakers in all"
            )
        weights = _balanced(targets[train], corpora[train])
        model = MaskedRegression.fit(
            x[train], targets[train], allowed[train], weights, config.regularisation
        )
        soft[held_out] = model.probabilities(x[held_out])
    return soft


def _less_speaker(x: FloatArray, speakers: np.ndarray) -> FloatArray:
    # The mean of the speaker's clips, shrunk towards that of all, which is 0 here.
    result = np.empty_like(x)
    for speaker in np.unique(speakers):
        rows = speakers == speaker
        result[rows] = x[rows] - x[rows].sum(0) / (rows.sum() + SHRINK_CLIPS)
    return result


def _groups(speakers: np.ndarray, n: int) -> list[np.ndarray]:
    names = np.unique(speakers)  # Sorted, so by corpus.
    return [names[i::n] for i in range(min(n, len(names)))]


def _balanced(targets: np.ndarray, corpora: np.ndarray) -> np.ndarray:
    # A corpus by the root of its clips; within it, every class the same.
    weights = np.zeros(len(targets))
    for corpus in np.unique(corpora):
        of_corpus = corpora == corpus
        classes = np.unique(targets[of_corpus])
        for target in classes:
            rows = of_corpus & (targets == target)
            weights[rows] = np.sqrt(of_corpus.sum()) / len(classes) / rows.sum()
    result: np.ndarray = weights * len(targets) / weights.sum()
    return result
