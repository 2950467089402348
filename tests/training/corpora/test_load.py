"""Any corpus with a manifest, and five in their publishers' layouts."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance, load_corpora
from training.corpora.known import KNOWN
from training.corpora.labels import LABELS, SYNONYMS, common_label
from training.corpora.limit import limited
from training.corpora.load import LAYOUTS
from training.corpora.utterance import read_samples

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


@pytest.mark.parametrize(
    ("corpus", "nobody"), [("picovoice-neutral", "PVWW_unknown"), ("mine", "unknown")]
)
def test_speakers_who_are_not_named_are_not_one_speaker(
    corpus: str, nobody: str, tmp_path: Path
) -> None:
    rows = ["file,speaker,emotion", *(f"{i}.wav,{nobody},neutral" for i in range(3))]
    files = [f"{i}.wav" for i in range(4)]
    write_manifest(
        tmp_path / corpus, "\n".join([*rows, "3.wav,A,neutral"]) + "\n", *files
    )
    found = load_corpora(tmp_path, [corpus])
    assert [u.speaker for u in found] == ["unnamed:0", "unnamed:1", "unnamed:2", "A"]
    assert [u.named for u in found] == [False, False, False, True]
    # Of whom nothing is known is written down once.
    people = {u.person for u in found}
    assert people == {f"{corpus}/unnamed", f"{corpus}/A"}
    assert len(limited(found, 1)) == 2


def test_the_word_of_one_corpus_for_nobody_is_a_name_in_others(tmp_path: Path) -> None:
    text = "file,speaker,emotion\n1.wav,PVWW_unknown,sad\n"
    write_manifest(tmp_path / "mine", text, "1.wav")
    assert load_corpora(tmp_path, ["mine"])[0].named


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
        (HEADER + "a.wav,1,,sad,,,\na.wav,,,sad,,,\n", "csv:3: no speaker"),
        (HEADER + "a.wav,1\n", "csv:2: emotion '' is unknown"),
        (HEADER + "\n\na.wav,1,,joyful,,,\n", "csv:4: emotion 'joyful'"),
        (
            HEADER + 'a.wav,1,,sad,,"two\nlines",\na.wav,1,,joyful,,,\n',
            "csv:4: emotion 'joyful'",
        ),
        (HEADER, "a header but no rows"),
        (HEADER + "a.wav,1,,sad,,,\ngone.wav,1,,sad,,,\n", "no file .*gone.wav, which"),
        (
            HEADER + "gone.wav,1,,sad,,,\nlost.wav,1,,sad,,,\n",
            "no file .*gone.wav, nor 1 others, which its table names",
        ),
    ],
)
def test_what_is_wrong_in_a_manifest_is_named_with_its_line(
    text: str, message: str, tmp_path: Path
) -> None:
    write_manifest(tmp_path / "x", text, "a.wav")
    with pytest.raises(SourceError, match=message):
        load_corpora(tmp_path, ["x"])


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path / "x", "")
    (tmp_path / "x/manifest.csv").write_text(HEADER + "a,Jürgen,,sad,,,\n", "latin-1")
    with pytest.raises(SourceError, match=r"manifest.csv cannot be read as a table"):
        load_corpora(tmp_path, ["x"])


def test_a_corpus_may_be_a_table_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(tmp_path / "x", HEADER + "a.wav,1,,sad,,,\n", "a.wav")
    (tmp_path / "x/manifest.csv").rename(tmp_path / "x/mine.csv")
    (row,) = load_corpora(tmp_path, ["x/mine.csv"])
    assert (row.corpus, row.path) == ("x/mine.csv", tmp_path / "x/a.wav")
    (absolute,) = load_corpora(Path("/nowhere"), [str(tmp_path / "x/mine.csv")])
    assert absolute.path == row.path
    monkeypatch.chdir(tmp_path / "x")
    (here,) = load_corpora(Path("/nowhere"), ["mine.csv"])
    assert here.path.samefile(row.path)


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    text = "file,speaker,emotion\na/1.wav,A,sad\nb/1.wav,B,sad\nb/2.wav,B,sad\n"
    write_manifest(tmp_path / "x", text, "a/1.wav", "b/1.wav", "b/2.wav")
    names = [u.name for u in load_corpora(tmp_path, ["x"])]
    assert names == ["x/a_1.wav", "x/b_1.wav", "x/2.wav"]


def test_other_words_for_an_emotion_are_understood(tmp_path: Path) -> None:
    assert set(SYNONYMS.values()) <= set(LABELS)
    assert not set(SYNONYMS) & set(LABELS)
    assert common_label("Anger ") == "angry"
    assert common_label("frustration") is None
    write_manifest(tmp_path / "x", "emotion,file,speaker\nhappiness,1.wav,A\n", "1.wav")
    assert load_corpora(tmp_path, ["x"])[0].emotion == "happy"


def test_a_corpus_that_is_absent_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"no corpus folder .*nowhere; pass --corpora"
    ):
        load_corpora(tmp_path, ["nowhere"])


@pytest.mark.parametrize("name", [*KNOWN, "other"])
def test_a_folder_of_another_layout_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "speech.wav").touch()
    with pytest.raises(SourceError) as caught:
        load_corpora(tmp_path, [name])
    message = str(caught.value)
    assert "a manifest.csv with columns file, speaker, emotion" in message
    assert "audformat database (db.yaml)" in message
    assert "savee: DC/a01.wav or DC_a01.wav" in message
    assert message.endswith("found there: speech.wav")
    assert "\n" not in message


def test_of_a_full_folder_only_the_first_names_are_told(tmp_path: Path) -> None:
    (tmp_path / "other/sub").mkdir(parents=True)
    with pytest.raises(SourceError, match=r"found there: sub/$"):
        load_corpora(tmp_path, ["other"])
    for i in range(8):
        (tmp_path / f"other/{i}.wav").touch()
    with pytest.raises(SourceError, match=r"0.wav, .*4.wav and 4 more$"):
        load_corpora(tmp_path, ["other"])


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


def write_clips(folder: Path, samples: FloatArray, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, samples, 16_000)


@pytest.mark.parametrize("folder", ["casia", "casia/CASIA database"])
def test_casia_is_read_as_its_publisher_packs_it(
    folder: str, tmp_path: Path, clip: FloatArray
) -> None:
    speakers = ("liuchanhg", "wangzhe", "zhaoquanyin", "ZhaoZuoxiang")
    emotions = LAYOUTS["casia"].emotions
    names = [f"{s}/{e}/201.wav" for s in speakers for e in emotions]
    others = ["201.wav", "liuchanhg/angry/notes.wav", "liuchanhg/joy/201.wav"]
    write_clips(tmp_path / folder, clip, *names, *others, "nobody/angry/201.wav")
    found = load_corpora(tmp_path, ["casia"])
    assert len(found) == len({u.name for u in found}) == 24
    assert {(u.speaker, u.sex) for u in found} == {
        ("liuchanhg", "female"),
        ("wangzhe", "male"),
        ("zhaoquanyin", "female"),
        ("ZhaoZuoxiang", "male"),
    }
    assert {u.emotion for u in found if u.speaker == "wangzhe"} == set(emotions)
    assert {(u.corpus, u.sentence, u.language) for u in found} == {
        ("casia", "201", "Mandarin")
    }
    assert found[0].name == "casia/ZhaoZuoxiang_angry_201.wav"


def test_folders_that_are_links_are_read_too(tmp_path: Path, clip: FloatArray) -> None:
    names = [f"{s}/angry/201.wav" for s in ("liuchanhg", "wangzhe", "zhaoquanyin")]
    write_clips(tmp_path / "elsewhere", clip, *names, "AudioData/DC/a01.wav")
    for corpus in ("casia", "savee"):
        (tmp_path / corpus).mkdir()
    for name in ("liuchanhg", "wangzhe"):
        (tmp_path / "casia" / name).symlink_to(tmp_path / "elsewhere" / name)
    write_clips(tmp_path / "casia", clip, names[-1])
    # What two links lead to is there once, by the path that says what it is.
    (tmp_path / "casia/again").mkdir()
    (tmp_path / "casia/again/liuchanhg").symlink_to(tmp_path / "elsewhere/liuchanhg")
    (tmp_path / "casia/other").symlink_to(tmp_path / "elsewhere/wangzhe")
    assert [u.clip for u in load_corpora(tmp_path, ["casia"])] == [
        "liuchanhg_angry_201",
        "wangzhe_angry_201",
        "zhaoquanyin_angry_201",
    ]
    (tmp_path / "savee/AudioData").symlink_to(tmp_path / "elsewhere/AudioData")
    # One that leads back is no end of clips.
    (tmp_path / "elsewhere/AudioData/DC/again").symlink_to(tmp_path / "savee")
    (found,) = load_corpora(tmp_path, ["savee"])
    assert found.path == tmp_path / "savee/AudioData/DC/a01.wav"


@pytest.mark.parametrize("folder", ["crema-d/AudioWAV", "crema-d"])
def test_crema_d_is_read_as_its_publisher_packs_it(
    folder: str, tmp_path: Path, clip: FloatArray
) -> None:
    names = {
        "1001_DFA_ANG_XX": ("1001", "male", "angry", "DFA"),
        "1002_IEO_DIS_LO": ("1002", "female", "disgust", "IEO"),
        "1091_IEO_FEA_MD": ("1091", "female", "fear", "IEO"),
        "1090_IEO_HAP_HI": ("1090", "male", "happy", "IEO"),
        "1040_ITH_SAD_X": ("1040", "male", "sad", "ITH"),
        "1001_TIE_NEU_XX": ("1001", "male", "neutral", "TIE"),
    }
    others = ["1001_TIE_JOY_XX.wav", "notes.wav"]
    write_clips(tmp_path / folder, clip, *(f"{n}.wav" for n in names), *others)
    found = load_corpora(tmp_path, ["crema-d"])
    assert {u.clip: (u.speaker, u.sex, u.emotion, u.sentence) for u in found} == names


SAVEE = {"a01": "angry", "d02": "disgust", "f03": "fear", "h04": "happy"}
SAVEE |= {"n30": "neutral", "sa06": "sad", "su15": "surprise"}


@pytest.mark.parametrize("form", ["DC/{}.wav", "AudioData/DC/{}.wav", "ALL/DC_{}.wav"])
def test_savee_is_read_as_its_publisher_packs_it(
    form: str, tmp_path: Path, clip: FloatArray
) -> None:
    others = ["XY/a01.wav", "XY_a01.wav", "DC/x01.wav", "DC/Info.wav"]
    write_clips(tmp_path / "savee", clip, *map(form.format, SAVEE), *others)
    found = load_corpora(tmp_path, ["savee"])
    assert {u.sentence: u.emotion for u in found} == SAVEE
    assert {u.name for u in found} == {f"savee/DC_{code}.wav" for code in SAVEE}
    assert {(u.corpus, u.speaker, u.sex, u.language) for u in found} == {
        ("savee", "DC", "male", "English (British)")
    }


def test_every_publisher_s_emotion_has_a_common_name() -> None:
    for layout in LAYOUTS.values():
        assert set(layout.emotions.values()) <= set(LABELS)


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no audio")
    with pytest.raises(OSError, match=r"bad.wav"):
        read_samples(tmp_path / "bad.wav")


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], r"bad\.wav: it holds no samples"),
        ([0.1, np.nan, 0.1], r"bad\.wav: it holds samples that are no finite numbers"),
        ([0.1, -np.inf], r"bad\.wav: it holds samples that are no finite numbers"),
    ],
)
def test_a_recording_without_usable_samples_is_named(
    tmp_path: Path, samples: list[float], message: str
) -> None:
    path = tmp_path / "bad.wav"
    soundfile.write(path, np.array(samples, np.float32), 16_000, subtype="FLOAT")
    with pytest.raises(OSError, match=message):
        read_samples(path)


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
