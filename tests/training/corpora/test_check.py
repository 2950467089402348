"""Counts beside the published ones; what is missing, doubled or unreadable is named."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_stream.pipeline.values import FloatArray
from training.__main__ import main
from training.corpora import load_corpora
from training.corpora.check import Check, check
from training.corpora.emobox import emobox_fold_of
from training.corpora.known import KNOWN, PAPER
from training.corpora.labels import LABELS
from training.corpora.load import LAYOUTS

RATE = 16_000


@pytest.fixture(scope="module")
def whole_casia(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 1200 files in their publisher's layout, each 5 ms of its own noise."""
    folder = tmp_path_factory.mktemp("whole")
    rng = np.random.default_rng(7)
    for speaker in ("liuchanhg", "wangzhe", "zhaoquanyin", "ZhaoZuoxiang"):
        for emotion in LAYOUTS["casia"].emotions:
            place = folder / "casia" / speaker / emotion
            place.mkdir(parents=True)
            for number in range(201, 251):
                samples = rng.uniform(-0.5, 0.5, 80).astype(np.float32)
                soundfile.write(place / f"{number}.wav", samples, RATE)
    return folder


@pytest.fixture
def copy(whole_casia: Path, tmp_path: Path) -> Path:
    """A CASIA to spoil."""
    shutil.copytree(whole_casia, tmp_path, dirs_exist_ok=True)
    return tmp_path


def checked(folder: Path, name: str = "casia") -> Check:
    utterances = load_corpora(folder, [name], absent_too=True)
    return check(name, utterances, progress=False)


def command(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`python -m training corpora`, in this process."""
    words = ["training", "corpora", *arguments]
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", words)
        patch.setenv("SER_CORPORA", str(folder))
        status = main()
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def in_a_process(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "training", "corpora", *arguments],
        env={**os.environ, "SER_CORPORA": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_published_counts_agree_with_each_other() -> None:
    table = {"casia": (1200, 4, 6), "emodb": (535, 10, 7)}
    table |= {"savee": (480, 4, 7), "ravdess": (1440, 24, 8)}
    assert set(table) == set(PAPER)
    for name, (clips, speakers, emotions) in table.items():
        published = PAPER[name].counts
        assert published.clips == sum(published.speakers.values()) == clips
        assert (len(published.speakers), len(published.emotions)) == (
            speakers,
            emotions,
        )
        assert set(published.emotions) <= set(LABELS)
        assert len(emobox_fold_of(name)) == clips
        for pair in published.doubled:
            assert pair <= emobox_fold_of(name).keys()


def test_the_counts_of_a_known_corpus_are_of_its_own_classes_and_speakers() -> None:
    for name, corpus in KNOWN.items():
        counts = corpus.counts
        assert corpus.folder == name
        assert set(counts.emotions) <= set(LABELS)
        assert not counts.speakers or sum(counts.speakers.values()) == counts.clips
        assert counts.n_speakers or corpus.unnamed
    assert KNOWN["crema-d"].counts.clips == 1624
    assert KNOWN["emotale"].counts.clips == 800
    assert KNOWN["indian-emo-speech"].counts.clips == 2021


def test_of_a_corpus_in_part_more_is_no_fault_and_less_is(
    tmp_path: Path, clip: FloatArray
) -> None:
    place = tmp_path / "crema-d/AudioWAV"
    place.mkdir(parents=True)
    for i in range(5):
        soundfile.write(place / f"1005_IEO_ANG_L{i}.wav", clip * (i + 1) / 8, RATE)
    found = checked(tmp_path, "crema-d")
    assert found.emotions == {"angry": 5}  # Four are in use.
    assert found.differences == (
        "emotion disgust is missing: 0 of 2 clips",
        "emotion fear is missing: 0 of 2 clips",
        "emotion happy is missing: 0 of 807 clips",
        "emotion neutral is missing: 0 of 2 clips",
        "emotion sad is missing: 0 of 807 clips",
        "1 of 63 speakers",
    )
    assert not found.missing
    assert command(tmp_path, "crema-d").stdout.splitlines()[:3] == [
        "crema-d: 5 clips, 1 speakers; in use: 1624 clips, 63 speakers, of 7442 clips, "
        "91 speakers",
        "  emotion        found    in use",
        "  angry              5         4",
    ]


def test_unnamed_speakers_are_counted_as_such(tmp_path: Path, clip: FloatArray) -> None:
    (tmp_path / "picovoice-neutral").mkdir()
    rows = ["file,speaker,emotion"]
    for i in range(3):
        soundfile.write(tmp_path / f"picovoice-neutral/{i}.wav", clip / (i + 1), RATE)
        rows.append(f"{i}.wav,PVWW_unknown,neutral")
    (tmp_path / "picovoice-neutral/manifest.csv").write_text("\n".join(rows))
    found = checked(tmp_path, "picovoice-neutral")
    assert found.speakers == {"unnamed": 3}
    assert found.differences == ("emotion neutral: 3 of 900 clips",)
    assert command(tmp_path, "picovoice-neutral").stdout.startswith(
        "picovoice-neutral: 3 clips, unnamed speakers; in use: 900 clips, unnamed "
        "speakers, of 2294 clips\n"
    )


def test_a_whole_corpus_agrees(whole_casia: Path) -> None:
    found = checked(whole_casia)
    assert found.agrees, found
    assert found.clips == 1200
    done = in_a_process(whole_casia, "casia")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:3] == [
        "casia: 1200 clips, 4 speakers; published: 1200 clips, 4 speakers",
        "  emotion        found published",
        "  angry            200       200",
    ]
    assert done.stdout.endswith("\n  nothing amiss\n")


def test_missing_files_are_named_with_what_they_are_missed_in(copy: Path) -> None:
    (copy / "casia/wangzhe/sad/207.wav").unlink()
    found = checked(copy)
    assert found.missing == ("wangzhe_sad_207",)
    assert found.differences == (
        "speaker wangzhe: 299 of 300 clips",
        "emotion sad: 199 of 200 clips",
    )
    done = command(copy, "casia")
    assert (done.returncode, done.stderr) == (1, "")
    assert "\n  missing: wangzhe_sad_207\n" in done.stdout
    assert "  sad              199       200\n" in done.stdout


def test_a_missing_speaker_and_a_missing_emotion_are_named(copy: Path) -> None:
    shutil.rmtree(copy / "casia/liuchanhg")
    for speaker in ("wangzhe", "zhaoquanyin", "ZhaoZuoxiang"):
        shutil.rmtree(copy / "casia" / speaker / "fear", ignore_errors=True)
    found = checked(copy)
    assert "speaker liuchanhg is missing: 0 of 300 clips" in found.differences
    assert "emotion fear is missing: 0 of 200 clips" in found.differences
    assert len(found.missing) == 300 + 3 * 50


def test_doubled_files_are_named_even_in_another_format(copy: Path) -> None:
    shutil.copy(
        copy / "casia/wangzhe/sad/201.wav", copy / "casia/wangzhe/happy/201.wav"
    )
    found = checked(copy)
    assert found.doubled == (("wangzhe_happy_201", "wangzhe_sad_201"),)
    assert not found.differences
    assert not found.missing
    done = command(copy, "casia")
    assert done.returncode == 1
    assert "\n  doubled: wangzhe_happy_201 = wangzhe_sad_201\n" in done.stdout


def test_more_than_published_is_no_agreement(copy: Path) -> None:
    place = copy / "casia/wangzhe/sad"
    soundfile.write(place / "251.wav", np.full(80, 0.1), RATE)
    assert checked(copy).differences == (
        "speaker wangzhe: 301 clips, published are 300",
        "emotion sad: 201 clips, published are 200",
    )


def write_any(folder: Path, files: dict[str, FloatArray | bytes]) -> None:
    """The unpublished corpus `mine` with these files and its manifest."""
    (folder / "mine").mkdir()
    rows = ["file,speaker,emotion"]
    for name, content in files.items():
        rows.append(f"{name},A,sad")
        if isinstance(content, bytes):
            (folder / "mine" / name).write_bytes(content)
        else:
            subtype = "FLOAT" if name.endswith("float.wav") else "PCM_16"
            soundfile.write(folder / "mine" / name, content, RATE, subtype=subtype)
    rows.append("absent.wav,A,angry")
    (folder / "mine/manifest.csv").write_text("\n".join(rows) + "\n")


def test_all_that_can_be_wrong_with_a_file_is_found(
    tmp_path: Path, clip: FloatArray, data: Path
) -> None:
    not_finite = clip.copy()
    not_finite[100] = np.nan
    flac = (data / "03a01Wa.flac").read_bytes()
    write_any(
        tmp_path,
        {
            "good.flac": flac,
            "same.wav": clip,
            "stereo.wav": np.stack([clip, clip], axis=1),
            "cut.flac": flac[:20_000],
            "text.wav": b"no audio",
            "nothing.wav": clip[:0],
            "zeros.wav": np.zeros_like(clip),
            "nan-float.wav": not_finite,
        },
    )
    found = checked(tmp_path, "mine")
    assert found.published is None
    assert found.emotions == {"sad": 8}
    assert found.missing == ("absent",)
    assert found.doubled == (("good", "same", "stereo"),)
    reasons = {Path(path).name: why for path, why in found.unreadable.items()}
    assert sorted(reasons) == [
        "cut.flac",
        "nan-float.wav",
        "nothing.wav",
        "text.wav",
        "zeros.wav",
    ]
    assert reasons["nothing.wav"] == "it holds no samples"
    assert reasons["zeros.wav"] == "it is silent: every sample is 0"
    assert reasons["nan-float.wav"] == "it holds samples that are no finite numbers"


def test_json_says_the_same(tmp_path: Path, clip: FloatArray) -> None:
    write_any(tmp_path, {"a.wav": clip, "b.wav": clip, "c.wav": b""})
    done = command(tmp_path, "mine", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found: dict[str, Any] = json.loads(done.stdout)["mine"]
    assert list(found.pop("unreadable")) == [str(tmp_path / "mine/c.wav")]
    assert found == {
        "emotions": {"sad": 3},
        "speakers": {"A": 3},
        "differences": [],
        "missing": ["absent"],
        "doubled": [["a", "b"]],
        "known_doubled": [],
        "clips": 3,
        "published": None,
        "agrees": False,
    }
    text = command(tmp_path, "mine").stdout.splitlines()
    assert text[:3] == [
        "mine: 3 clips, 1 speakers",
        "  emotion        found published",
        "  sad                3         -",
    ]
    assert text[3:5] == ["  missing: absent", "  doubled: a = b"]
    assert text[5].startswith(f"  unreadable: {tmp_path / 'mine/c.wav'}: ")


def test_the_pair_that_ravdess_is_known_for_is_no_fault(
    tmp_path: Path, clip: FloatArray
) -> None:
    place = tmp_path / "ravdess/Actor_07"
    place.mkdir(parents=True)
    (pair,) = PAPER["ravdess"].counts.doubled
    for name in pair:
        soundfile.write(place / f"{name}.wav", clip, RATE)
    found = checked(tmp_path, "ravdess")
    assert (found.doubled, found.known_doubled) == ((), (tuple(sorted(pair)),))
    assert len(found.missing) == 1438
    assert "speaker Actor_01 is missing: 0 of 60 clips" in found.differences


def test_names_of_another_distribution_are_counted_only(
    tmp_path: Path, clip: FloatArray
) -> None:
    write_any(tmp_path, {"one.wav": clip})
    (tmp_path / "mine").rename(tmp_path / "savee")
    found = checked(tmp_path, "savee")
    assert found.missing == ("absent",)
    assert "emotion sad: 1 of 60 clips" in found.differences
    assert "speaker A: 1 clips, published are 0" in found.differences


def test_without_names_all_four_are_checked_and_absent_ones_named(
    whole_casia: Path,
) -> None:
    done = command(whole_casia)
    assert done.returncode == 2
    assert done.stdout.startswith("casia: 1200 clips")
    (line,) = done.stderr.splitlines()
    for name in ("emodb", "savee", "ravdess"):
        assert f"no corpus folder {whole_casia / name}; pass --corpora" in line
