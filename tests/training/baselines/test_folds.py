"""Whole folds of real clips: what reaches training, and what comes out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ser_stream.errors import ConfigError, SourceError
from training.baselines import folds
from training.baselines.folds import run_compare_svm, run_nmftsl
from training.corpora import Utterance
from training.protocols.fold import Fold

pytest.importorskip("opensmile")
pytest.importorskip("sklearn")

LABELS = ("angry", "sad")
LOUD, QUIET = "03a01Wa", "11a07Ta"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("functionals")


@pytest.fixture(scope="module")
def utterances(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """Pieces of an angry and a sad clip: 24 of three "speakers", 12 of a target."""
    import soundfile

    folder = tmp_path_factory.mktemp("clips")
    result = []
    for stem, emotion in ((LOUD, "angry"), (QUIET, "sad")):
        samples, rate = soundfile.read(data / f"{stem}.flac", dtype="float32")
        for i in range(18):
            path = folder / f"{stem}-{i}.wav"
            soundfile.write(path, samples[i * 400 : i * 400 + 16000], rate)
            corpus = "source" if i < 12 else "target"
            speaker = f"{corpus}-{i % 3}"
            result.append(
                Utterance(corpus, path, speaker, "male", emotion, "", "German")
            )
    return result


@pytest.fixture(scope="module")
def cross(utterances: list[Utterance]) -> Fold:
    """Learn from two of the source's speakers, choose on the third."""

    def where(corpus: str, *speakers: int) -> tuple[int, ...]:
        names = {f"{corpus}-{i}" for i in speakers}
        return tuple(i for i, u in enumerate(utterances) if u.speaker in names)

    target = where("target", 0, 1, 2)
    return Fold(
        "transductive",
        where("source", 0, 1),
        target,
        where("source", 2),
        target,
    )


def truth(utterances: list[Utterance], rows: tuple[int, ...]) -> list[int]:
    return [LABELS.index(utterances[i].emotion) for i in rows]


@pytest.mark.parametrize("own_scale", [False, True])
def test_a_fold_of_the_svm(
    own_scale: bool, utterances: list[Utterance], cross: Fold, cache: Path
) -> None:
    answer = run_compare_svm(
        utterances, cross, LABELS, cache, 98, "egemaps", own_scale=own_scale
    )
    assert answer["predicted"] == truth(utterances, cross.test)
    assert answer["C"] in answer["config"]["grid"]
    assert answer["config"]["own_scale"] is own_scale
    assert answer["config"]["features"] == "egemaps"


def test_labels_outside_training_do_not_reach_the_svm(
    utterances: list[Utterance], cross: Fold, cache: Path
) -> None:
    expected = run_compare_svm(utterances, cross, LABELS, cache, 98, "egemaps")
    turned = [
        u if i in cross.train else replace(u, emotion="surprise")
        for i, u in enumerate(utterances)
    ]
    found = run_compare_svm(turned, cross, LABELS, cache, 98, "egemaps")
    assert found == expected


def test_a_fold_of_nmftsl(
    utterances: list[Utterance],
    cross: Fold,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folds, "TRANSFER", (0.003, 0.01))
    monkeypatch.setattr(folds, "DISCRIMINATION", (0.003,))
    answer = run_nmftsl(utterances, cross, LABELS, cache, 98)
    assert np.mean(np.equal(answer["predicted"], truth(utterances, cross.test))) > 0.8
    assert answer["C"] == answer["config"]["c"]
    assert answer["config"]["transfer"] in (0.003, 0.01)
    assert answer["config"]["seed"] == 98
    assert answer["codes"].shape == (12, answer["config"]["shared"])
    assert 0 <= answer["validation_UAR"] <= 100

    # The target's labels are not used.
    turned = [
        replace(u, emotion="surprise") if i in cross.test else u
        for i, u in enumerate(utterances)
    ]
    same = run_nmftsl(turned, cross, LABELS, cache, 98)
    assert same["predicted"] == answer["predicted"]

    # Half of the target adapts, the other half is scored.
    inductive = replace(cross, adapt=cross.adapt[::2], test=cross.test[1::2])
    unheard = run_nmftsl(utterances, inductive, LABELS, cache, 98)
    assert len(unheard["predicted"]) == 6

    # Without validation clips a speaker of the training clips stands in.
    whole = replace(cross, train=cross.train + cross.validation, validation=())
    assert len(run_nmftsl(utterances, whole, LABELS, cache, 98)["predicted"]) == 12


def test_bad_folds_are_refused(
    utterances: list[Utterance], cross: Fold, cache: Path
) -> None:
    with pytest.raises(ConfigError, match="is angry, none of the labels happy, sad"):
        run_compare_svm(utterances, cross, ("happy", "sad"), cache, 98, "egemaps")
    with pytest.raises(ConfigError, match="has no clips to adapt to"):
        run_nmftsl(utterances, replace(cross, adapt=()), LABELS, cache, 98)
    one_class = tuple(i for i in cross.train if utterances[i].emotion == "sad")
    with pytest.raises(ConfigError, match="two classes or more"):
        run_compare_svm(
            utterances, replace(cross, train=one_class), LABELS, cache, 98, "egemaps"
        )
    one_speaker = tuple(i for i in cross.train if utterances[i].speaker == "source-0")
    alone = replace(cross, train=one_speaker, validation=())
    with pytest.raises(SourceError, match="one speaker"):
        run_nmftsl(utterances, alone, LABELS, cache, 98)
