"""A corpus as an audformat database: made by that package from real clips."""

import sys
from pathlib import Path
from typing import Any

import audformat
import pytest

from ser_stream.errors import MissingLibraryError, SourceError
from training.corpora import Utterance, load_corpora
from training.corpora.utterance import read_samples

WORDS = {
    "W": "anger",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
    "L": "boredom",
}
SPEAKERS = {
    3: {"gender": "male", "language": "deu"},
    8: {"gender": "female", "language": "deu"},
    10: {"gender": "male", "language": "deu"},
    11: {"gender": "male", "language": "deu"},
    15: {"gender": "male", "language": "deu"},
    16: {"gender": "female", "language": "deu"},
}


@pytest.fixture
def files(tmp_path: Path, data: Path) -> list[str]:
    """The six clips, linked into wav/ of the database mine."""
    folder = tmp_path / "mine" / "wav"
    folder.mkdir(parents=True)
    for path in sorted(data.glob("???????.flac")):
        (folder / path.name).symlink_to(path)
    return [f"wav/{path.name}" for path in sorted(folder.iterdir())]


def packed(files: list[str]) -> Any:
    """As audEERING packs EmoDB: speakers with properties, emotions in a table apart."""
    names = [Path(file).stem for file in files]
    database = audformat.Database("emodb", languages=["deu"])
    database.schemes["emotion"] = audformat.Scheme(labels=list(WORDS.values()))
    database.schemes["speaker"] = audformat.Scheme(labels=SPEAKERS)
    database.schemes["transcription"] = audformat.Scheme(
        labels={name[2:5]: f"sentence {name[2:5]}" for name in names}
    )
    index = audformat.filewise_index(files)
    columns = {
        "speaker": [int(name[:2]) for name in names],
        "transcription": [name[2:5] for name in names],
    }
    database["files"] = audformat.Table(index)
    for name, values in columns.items():
        database["files"][name] = audformat.Column(scheme_id=name)
        database["files"][name].set(values)
    database["emotion"] = audformat.Table(index)
    database["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["emotion"]["emotion"].set([WORDS[name[5]] for name in names])
    return database


def test_a_database_in_the_manner_of_audeering_s_emodb(
    tmp_path: Path, files: list[str]
) -> None:
    packed(files).save(str(tmp_path / "mine"))
    found = load_corpora(tmp_path, ["mine"])
    wav = tmp_path / "mine" / "wav"
    assert found == [
        Utterance("mine", wav / f"{name}.flac", name[:2], sex, emotion, sentence, "deu")
        for name, sex, emotion, sentence in (
            ("03a01Wa", "male", "angry", "a01"),
            ("08a04Ff", "female", "happy", "a04"),
            ("10a01Nb", "male", "neutral", "a01"),
            ("11a07Ta", "male", "sad", "a07"),
            ("15a02Ac", "male", "fear", "a02"),
            ("16a04La", "female", "boredom", "a04"),
        )
    ]
    assert len(read_samples(found[0].path)) == 30_045


def test_a_table_named_emotion_says_which_files_are_meant(
    tmp_path: Path, files: list[str]
) -> None:
    database = packed(files)
    laryngo = audformat.filewise_index([f"laryngo/{Path(f).name}" for f in files])
    database["laryngo.emotion"] = audformat.Table(laryngo)
    database["laryngo.emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["laryngo.emotion"]["emotion"].set(["anger"] * len(files))
    database.save(str(tmp_path / "mine"))
    assert len(load_corpora(tmp_path, ["mine"])) == len(files)


def one_table(files: list[str], **columns: list[Any]) -> Any:
    """All labels side by side, without schemes."""
    database = audformat.Database("mine")
    database["labels"] = audformat.Table(audformat.filewise_index(files))
    for name, values in columns.items():
        database["labels"][name] = audformat.Column()
        database["labels"][name].set(values)
    return database


def test_columns_without_schemes_will_do(tmp_path: Path, files: list[str]) -> None:
    emotions = ["bored", "Surprised", "calm", "disgusted", "anxiety", None]
    database = one_table(files, emotion=emotions, speaker=list("ABCDEF"))
    database.save(str(tmp_path / "mine"))
    found = load_corpora(tmp_path, ["mine"])
    labels = [u.emotion for u in found]
    assert labels == ["boredom", "surprise", "calm", "disgust", "fear"]
    assert [u.speaker for u in found] == list("ABCDE")
    assert {(u.sex, u.sentence, u.language) for u in found} == {("unknown", "", "")}


SIX = {"emotion": ["anger"] * 6, "speaker": list("ABCDEF")}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"speaker": SIX["speaker"]}, "no table has labels of a scheme emotion"),
        ({"emotion": [None] * 6, "speaker": SIX["speaker"]}, "no table has labels"),
        ({"emotion": SIX["emotion"]}, "6 of 6 files have no speaker"),
        (SIX | {"speaker": [*"ABCDE", None]}, "1 of 6 files have no speaker"),
        (
            SIX | {"emotion": ["anger"] * 4 + ["other", "excited"]},
            "emotion 'excited', 'other' is unknown; allowed: angry, ",
        ),
    ],
)
def test_what_a_database_lacks_is_named(
    columns: dict[str, list[Any]], message: str, tmp_path: Path, files: list[str]
) -> None:
    one_table(files, **columns).save(str(tmp_path / "mine"))
    with pytest.raises(SourceError, match=message):
        load_corpora(tmp_path, ["mine"])


def test_tables_that_contradict_each_other_are_refused(
    tmp_path: Path, files: list[str]
) -> None:
    database = one_table(files, **SIX)
    database["others"] = audformat.Table(audformat.filewise_index(files))
    database["others"]["emotion"] = audformat.Column()
    database["others"]["emotion"].set(["sadness"] * 6)
    database.save(str(tmp_path / "mine"))
    with pytest.raises(
        SourceError, match=r"db.yaml cannot be used: .*overlapping"
    ) as e:
        load_corpora(tmp_path, ["mine"])
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("whole", [True, False])
def test_segments_must_be_whole_files(
    whole: bool, tmp_path: Path, files: list[str]
) -> None:
    ends = None if whole else ["1s"] * 6
    database = audformat.Database("mine")
    database["a"] = audformat.Table(audformat.segmented_index(files, ["0s"] * 6, ends))
    for name, values in SIX.items():
        database["a"][name] = audformat.Column()
        database["a"][name].set(values)
    database.save(str(tmp_path / "mine"))
    if whole:
        assert len(load_corpora(tmp_path, ["mine"])) == 6
        return
    with pytest.raises(SourceError, match="belong to parts of files"):
        load_corpora(tmp_path, ["mine"])


@pytest.mark.parametrize("text", ["name: [unclosed", "hello", ""])
def test_a_damaged_header_is_named_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/db.yaml").write_text(text)
    with pytest.raises(SourceError, match=r"mine/db.yaml cannot be used: ") as caught:
        load_corpora(tmp_path, ["mine"])
    assert "\n" not in str(caught.value)


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(files).save(str(tmp_path / "mine"))
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(MissingLibraryError, match=r"'ser-stream\[train\]'") as caught:
        load_corpora(tmp_path, ["mine"])
    assert caught.value.exit_status == 69
