"""Any corpus with a manifest, and two in their publishers' layouts."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.errors import SourceError
from ser_stream.values import FloatArray
from training.corpora import Utterance, emodb, load_corpora, ravdess
from training.corpora.utterance import LABELS, read_samples

HEADER = "file,speaker,sex,emotion,emotion_code,sentence,language\n"


def write_manifest(folder: Path, text: str, *files: str) -> None:
    folder.mkdir(parents=True)
    (folder / "manifest.csv").write_text(text, encoding="utf-8")
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_manifest_describes_any_corpus(tmp_path: Path) -> None:
    text = HEADER + "a/1.flac,007,female,happy,F,a01,German\nb.flac,08,,sad,T,,\n"
    write_manifest(tmp_path / "mine", text, "a/1.flac", "b.flac")
    folder = tmp_path / "mine"
    assert load_corpora(tmp_path, ["mine"]) == [
        Utterance(
            "mine", folder / "a/1.flac", "007", "female", "happy", "a01", "German"
        ),
        Utterance("mine", folder / "b.flac", "08", "unknown", "sad", "", ""),
    ]
    assert load_corpora(tmp_path, ["mine"])[0].name == "mine/1.flac"


def test_a_manifest_needs_only_file_speaker_and_emotion(tmp_path: Path) -> None:
    write_manifest(tmp_path / "x", "emotion,file,speaker\ncalm,1.wav,A\n", "1.wav")
    (row,) = load_corpora(tmp_path, ["x"])
    assert (row.speaker, row.sex, row.emotion, row.sentence) == (
        "A",
        "unknown",
        "calm",
        "",
    )


def test_the_manifest_goes_before_the_publisher_s_layout(tmp_path: Path) -> None:
    text = HEADER + "03a01Fa.wav,03,male,sad,T,a01,German\n"
    write_manifest(tmp_path / "emodb", text, "03a01Fa.wav", "03a01Wa.wav")
    assert [u.emotion for u in load_corpora(tmp_path, ["emodb"])] == ["sad"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,emotion\n", "no column speaker"),
        ("", "no column file, speaker, emotion"),
        (
            HEADER + "a.wav,1,,joyful,,,\n",
            "csv:2: emotion 'joyful' is unknown; allowed: ",
        ),
        (HEADER + "a.wav,1,,sad,,,\ngone.wav,1,,sad,,,\n", "csv:3: there is no file"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_named_with_its_line(
    text: str, message: str, tmp_path: Path
) -> None:
    write_manifest(tmp_path / "x", text, "a.wav")
    with pytest.raises(SourceError, match=message):
        load_corpora(tmp_path, ["x"])


def test_a_corpus_that_is_absent_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"no corpus folder .*nowhere; pass --corpora"
    ):
        load_corpora(tmp_path, ["nowhere"])


@pytest.mark.parametrize("name", ["emodb", "ravdess", "other"])
def test_a_folder_of_another_layout_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "speech.wav").touch()
    with pytest.raises(
        SourceError, match=r"neither a manifest.csv nor the publisher's"
    ):
        load_corpora(tmp_path, [name])


EMODB = {
    "03a01Wa": ("03", "male", "angry", "a01"),
    "08a04Ff": ("08", "female", "happy", "a04"),
    "10a01Nb": ("10", "male", "neutral", "a01"),
    "11a07Ta": ("11", "male", "sad", "a07"),
    "15a02Ac": ("15", "male", "fear", "a02"),
    "16a04La": ("16", "female", "boredom", "a04"),
}


@pytest.mark.parametrize("folder", ["emodb/wav", "emodb"])
def test_emodb_is_read_as_its_publisher_packs_it(
    folder: str, tmp_path: Path, clips: dict[str, FloatArray]
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    for name, samples in clips.items():
        soundfile.write(tmp_path / folder / f"{name}.wav", samples, 16_000)
    (tmp_path / folder / "03a01Xa.wav").touch()
    (tmp_path / folder / "readme.wav").touch()
    found = load_corpora(tmp_path, ["emodb"])
    assert {
        u.path.stem: (u.speaker, u.sex, u.emotion, u.sentence) for u in found
    } == EMODB
    assert {(u.corpus, u.language) for u in found} == {("emodb", "German")}
    assert np.array_equal(read_samples(found[0].path), clips["03a01Wa"])


@pytest.mark.parametrize("folder", ["ravdess", "ravdess/Audio_Speech_Actors_01-24"])
def test_ravdess_is_read_as_its_publisher_packs_it(
    folder: str, tmp_path: Path, clip: FloatArray
) -> None:
    names = [f"03-01-0{e}-01-02-01-{a}" for e in range(1, 9) for a in ("01", "12")]
    # Song, video, and a file of another name are no speech recordings.
    others = ["03-02-05-01-02-01-01", "01-01-05-01-02-01-01", "03-01-notes"]
    for name in names + others:
        place = tmp_path / folder / f"Actor_{name[-2:]}"
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{name}.wav", np.repeat(clip, 3), 48_000)
    found = load_corpora(tmp_path, ["ravdess"])
    assert sorted(u.path.stem for u in found) == sorted(names)
    assert [u.emotion for u in found if u.speaker == "Actor_01"] == [
        "neutral",
        "calm",
        "happy",
        "sad",
        "angry",
        "fear",
        "disgust",
        "surprise",
    ]
    assert {(u.speaker, u.sex) for u in found} == {
        ("Actor_01", "male"),
        ("Actor_12", "female"),
    }
    assert {u.sentence for u in found} == {"02"}
    assert abs(len(read_samples(found[0].path)) - len(clip)) <= 1


def test_every_publisher_s_emotion_has_a_common_name() -> None:
    for emotions in (emodb.EMOTIONS, ravdess.EMOTIONS):
        assert set(emotions.values()) <= set(LABELS)


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no audio")
    with pytest.raises(OSError, match=r"bad.wav"):
        read_samples(tmp_path / "bad.wav")


def test_the_minute_s_table_fits_its_recording(data: Path) -> None:
    samples = read_samples(data / "emodb_minute.flac")
    assert len(samples) == 60 * 16_000
    with (data / "emodb_minute.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["emotion"] for row in rows} == {
        "angry",
        "fear",
        "happy",
        "neutral",
        "sad",
    }
    spans = [(float(row["start_ms"]), float(row["end_ms"])) for row in rows]
    edges = [0.0, *[t for span in spans for t in span], 60_000.0]
    pauses = [b - a for a, b in zip(edges[::2], edges[1::2], strict=True)]
    assert all(800 <= pause <= 1500 for pause in pauses)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        quiet = samples[round(start * 16) : round(end * 16)]
        level = 10 * np.log10(np.mean(np.square(quiet, dtype=np.float64)))
        assert -73 <= level <= -67
