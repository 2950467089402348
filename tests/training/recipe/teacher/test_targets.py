"""Targets of a teacher: components, and soft labels that never saw the speaker."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from ser_stream.errors import SourceError
from ser_stream.nn.masked import UNLABELLED
from training.corpora import Utterance
from training.recipe.teacher.config import TeacherConfig
from training.recipe.teacher.targets import make_targets

N_SPEAKERS, N_CLIPS, CLASSES = 12, 15, 3


def clips(rng: np.random.Generator) -> tuple[np.ndarray, list[Utterance], np.ndarray]:
    """Classes lie apart, and speakers too."""
    centres = rng.normal(0.0, 3.0, (CLASSES, 20))
    features, utterances, targets = [], [], []
    for speaker in range(N_SPEAKERS):
        voice = rng.normal(0.0, 3.0, 20)
        for i in range(N_CLIPS):
            target = i % CLASSES
            features.append(centres[target] + voice + rng.normal(0.0, 1.0, 20))
            corpus = "partial" if speaker >= 9 else "whole"
            path = Path(f"{speaker}_{i}.wav")
            utterances.append(
                Utterance(corpus, path, str(speaker), "", "angry", "", "")
            )
            targets.append(target)
    return np.array(features, np.float32), utterances, np.array(targets)


def test_components_share_a_variance_of_one(rng: np.random.Generator) -> None:
    features, utterances, targets = clips(rng)
    allowed = np.ones((len(targets), CLASSES), bool)
    found = make_targets(
        features, utterances, targets, allowed, TeacherConfig(components=8)
    )
    assert found.components.shape == (len(targets), 8)
    variances = found.components.var(0)
    assert variances.sum() == pytest.approx(1.0, abs=1e-4)
    assert list(variances) == sorted(variances, reverse=True)


def test_soft_labels_know_classes_that_the_corpus_does_not_teach(
    rng: np.random.Generator,
) -> None:
    features, utterances, targets = clips(rng)
    allowed = np.ones((len(targets), CLASSES), bool)
    partial = np.array([u.corpus == "partial" for u in utterances])
    # Of the third class its labels say another.
    allowed[partial, 2] = False
    taught = np.where(partial & (targets == 2), 0, targets)
    config = TeacherConfig(regularisation=0.1)
    soft = make_targets(features, utterances, taught, allowed, config).soft
    assert np.allclose(soft.sum(1), 1.0, atol=1e-5)
    assert (soft.argmax(1) == targets)[~partial].mean() > 0.9
    assert soft[partial & (targets == 2), 2].mean() > 0.3


def test_clips_without_labels_are_judged_and_teach_nothing(
    rng: np.random.Generator,
) -> None:
    features, utterances, targets = clips(rng)
    allowed = np.ones((len(targets), CLASSES), bool)
    partial = np.array([u.corpus == "partial" for u in utterances])
    config = TeacherConfig(regularisation=0.1)

    def soft(labels: np.ndarray) -> np.ndarray:
        return make_targets(features, utterances, labels, allowed, config).soft

    unlabelled = soft(np.where(partial, UNLABELLED, targets))
    assert (unlabelled.argmax(1) == targets)[partial].mean() > 0.8
    # Their own labels are not what it knows that from.
    assert not np.allclose(unlabelled[~partial], soft(targets)[~partial], atol=1e-3)


def test_too_few_speakers_are_refused(rng: np.random.Generator) -> None:
    features, utterances, targets = clips(rng)
    allowed = np.ones((len(targets), CLASSES), bool)
    alone = [replace(u, corpus="whole", speaker="0") for u in utterances]
    with pytest.raises(SourceError, match="there are 1 speakers in all"):
        make_targets(features, alone, targets, allowed, TeacherConfig())
    with pytest.raises(SourceError, match="needs clips of two classes or more"):
        make_targets(features, utterances, targets * 0, allowed, TeacherConfig())


def test_a_soft_label_does_not_hang_on_the_labels_of_the_speaker(
    rng: np.random.Generator,
) -> None:
    features, utterances, targets = clips(rng)
    allowed = np.ones((len(targets), CLASSES), bool)
    config = TeacherConfig(groups=N_SPEAKERS)
    before = make_targets(features, utterances, targets, allowed, config).soft
    speaker = np.array([u.speaker == "4" for u in utterances])
    wrong = np.where(speaker, (targets + 1) % CLASSES, targets)
    after = make_targets(features, utterances, wrong, allowed, config).soft
    assert np.allclose(before[speaker], after[speaker], atol=1e-5)
    assert not np.allclose(before[~speaker], after[~speaker], atol=1e-3)
