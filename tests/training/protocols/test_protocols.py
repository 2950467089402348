"""Which clips are trained on and which are scored."""

import csv
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from ser_stream.errors import SourceError
from training.corpora import Utterance
from training.corpora.emobox import EMOBOX_FOLDS
from training.protocols.cross import (
    PAIRS,
    cross_folds,
    five_classes,
    held_out_speakers,
    supervised_split,
)
from training.protocols.single import (
    emobox_folds,
    paper_folds,
    speaker_folds,
)

EMOTIONS = ("angry", "boredom", "fear", "happy", "neutral", "sad")


def corpus(name: str, speakers: int, each: int = 2) -> list[Utterance]:
    return [
        Utterance(
            name,
            Path(f"{name}/{speaker:02}{emotion}{k}.wav"),
            f"{speaker:02}",
            "male" if speaker % 2 else "female",
            emotion,
            str(k),
            "German",
        )
        for speaker in range(speakers)
        for emotion in EMOTIONS
        for k in range(each)
    ]


def from_table(name: str) -> list[Utterance]:
    """A corpus as EmoBox's table of folds has it."""
    with EMOBOX_FOLDS.open(newline="") as file:
        names = [r["file"] for r in csv.DictReader(file) if r["corpus"] == name]
    return [Utterance(name, Path(n), "?", "?", "angry", "", "") for n in names]


@pytest.mark.parametrize("inner", [False, True])
def test_random_tenths_score_every_clip_once(inner: bool) -> None:
    utterances = corpus("emodb", 10)
    folds = paper_folds(utterances, inner=inner)
    assert [fold.name for fold in folds] == [f"fold-{k}" for k in range(1, 11)]
    assert sorted(i for f in folds for i in f.test) == list(range(len(utterances)))
    for fold in folds:
        parts = [set(fold.train), set(fold.validation), set(fold.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == len(utterances)
        assert len(fold.validation) == (10 if inner else 0)
    if inner:
        # Stratified: each emotion once or twice among ten of 108.
        counts = Counter(utterances[i].emotion for i in folds[0].validation)
        assert set(counts) == set(EMOTIONS)


def test_the_tenths_hang_on_names_and_not_on_the_order_of_reading() -> None:
    utterances = corpus("emodb", 10)
    backwards = utterances[::-1]
    for ours, theirs in zip(
        paper_folds(utterances, inner=True),
        paper_folds(backwards, inner=True),
        strict=True,
    ):
        for part in ("train", "validation", "test"):
            a = [utterances[i].path for i in getattr(ours, part)]
            assert a == [backwards[i].path for i in getattr(theirs, part)]


def test_the_tenths_are_sklearns_with_the_papers_seed() -> None:
    from sklearn.model_selection import KFold

    utterances = corpus("emodb", 10)
    split = KFold(10, shuffle=True, random_state=98).split(utterances)
    expected = [set(test) for _, test in split]
    assert [set(f.test) for f in paper_folds(utterances, inner=False)] == expected


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("casia", [300] * 4),
        ("emodb", [107] * 5),
        ("savee", [120] * 4),
        ("ravdess", [240] * 6),
    ],
)
def test_emobox_folds_cover_each_corpus(name: str, sizes: list[int]) -> None:
    utterances = from_table(name)
    folds = emobox_folds(utterances)
    assert [len(fold.test) for fold in folds] == sizes
    assert sorted(i for f in folds for i in f.test) == list(range(len(utterances)))
    for fold in folds:
        assert set(fold.train).isdisjoint(fold.test)


def test_a_missing_clip_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"savee lacks 1 clips .* DC_a01 first"):
        emobox_folds(from_table("savee")[1:])


def test_one_speaker_is_left_out_at_a_time() -> None:
    utterances = corpus("emodb", 3)
    folds = speaker_folds(utterances)
    assert [f.name for f in folds] == ["speaker-00", "speaker-01", "speaker-02"]
    for fold in folds:
        tested = {utterances[i].speaker for i in fold.test}
        assert len(tested) == 1
        assert tested.isdisjoint({utterances[i].speaker for i in fold.train})
    with pytest.raises(SourceError, match="needs two or more; there is 1"):
        speaker_folds(corpus("emodb", 1))


def test_twelve_pairs() -> None:
    assert len(set(PAIRS)) == 12
    assert "casia-emodb" in PAIRS


def test_a_fifth_of_the_source_speakers_chooses_and_both_sexes_take_turns() -> None:
    assert held_out_speakers(corpus("emodb", 10)) == ["00", "01"]
    assert held_out_speakers(corpus("casia", 4)) == ["00"]
    with pytest.raises(SourceError, match="one speaker; two or more are needed"):
        held_out_speakers(corpus("casia", 1))


def test_across_corpora_no_target_label_is_trained_on() -> None:
    utterances = five_classes(corpus("casia", 4) + corpus("emodb", 10))
    assert "boredom" not in {u.emotion for u in utterances}
    for fold in cross_folds(utterances, "casia"):
        labelled = {utterances[i].corpus for i in fold.train + fold.validation}
        assert labelled == {"casia"}
        assert {utterances[i].corpus for i in fold.adapt + fold.test} == {"emodb"}
    whole, first, second = cross_folds(utterances, "casia")
    assert whole.adapt == whole.test
    for fold in (first, second):
        heard = {utterances[i].speaker for i in fold.adapt}
        scored = {utterances[i].speaker for i in fold.test}
        assert heard.isdisjoint(scored)
        # Both halves have women and men.
        assert {utterances[i].sex for i in fold.test} == {"male", "female"}


def test_table_s5_scores_a_fifth_of_the_target() -> None:
    truth = [i % 5 for i in range(408)]
    train, test = supervised_split(truth, 98)
    assert len(test) == 82  # EMODB's, of the paper's figures.
    assert set(train).isdisjoint(test)
    assert len(train) + len(test) == 408
