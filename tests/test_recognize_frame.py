"""Recordings as a table of pandas, with an index as audformat has it."""

import csv
import io
import sys
from pathlib import Path

import audformat
import numpy as np
import pandas as pd
import pytest
import soundfile

import ser_stream
from ser_stream.errors import MissingLibraryError
from ser_stream.model import Model
from tests.helpers.paths import DATA, MINUTE
from tests.helpers.program import run

CLIPS = sorted(DATA.glob("[01]*.flac"))[:3]


@pytest.fixture(scope="module")
def model() -> Model:
    return ser_stream.load("open")


def test_a_row_a_file_says_what_recognize_says(model: Model) -> None:
    table = model.recognize_frame(CLIPS)
    text = run("recognize", "--format", "csv", *CLIPS).stdout.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert audformat.is_filewise_index(table.index)
    assert list(table.index) == [row["file"] for row in rows]
    assert list(table["label"]) == [row["label"] for row in rows]
    for name in ("confidence", *model.labels, "speech_s", "duration_s"):
        assert list(table[name]) == [float(row[name]) for row in rows]
    assert not table[["short", "cut", "damaged"]].any(axis=None)
    assert table["error"].isna().all()
    same = pd.Series(1.0, audformat.filewise_index(list(map(str, CLIPS))))
    assert len(table.join(same.rename("rating")).dropna(subset="rating")) == 3


def test_a_row_an_emotion_has_its_time(model: Model) -> None:
    table = model.recognize_frame(str(MINUTE), segments=True)
    emotions = model.recognize(MINUTE).emotions
    assert audformat.is_segmented_index(table.index)
    assert len(table) == len(emotions) > 10
    for (file, start, end), emotion in zip(table.index, emotions, strict=True):
        assert file == str(MINUTE)
        # To the sample: at 16 kHz, each lasts 62,500 ns.
        assert start == pd.Timedelta(62_500 * emotion.start, "ns")
        assert end == pd.Timedelta(62_500 * emotion.end, "ns")
    assert list(table["label"]) == [emotion.label for emotion in emotions]
    assert list(table["confidence"]) == [round(e.confidence, 4) for e in emotions]


def test_a_bad_file_loses_no_other(model: Model, tmp_path: Path) -> None:
    bad = tmp_path / "a\n\udcff.wav"
    bad.write_text("no audio")
    paths = [CLIPS[0], bad, tmp_path / "none.wav", CLIPS[1]]
    table = model.recognize_frame(paths)
    assert list(table.index[[0, 3]]) == [str(CLIPS[0]), str(CLIPS[1])]
    assert table["label"].notna().tolist() == [True, False, False, True]
    assert table["error"].notna().tolist() == [False, True, True, False]
    assert "is not audio" in table["error"].iloc[1]
    assert "there is no file" in table["error"].iloc[2]
    assert table.loc[table["error"].notna(), model.labels[0]].isna().all()
    segments = model.recognize_frame(paths, segments=True)
    assert audformat.is_segmented_index(segments.index)
    failed = segments[segments["error"].notna()]
    assert list(failed.index.get_level_values("start")) == [pd.Timedelta(0)] * 2
    assert failed.index.get_level_values("end").isna().all()
    assert str(CLIPS[0]) in segments.index.get_level_values("file")


def test_silence_has_no_label_and_no_emotions(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.zeros(2000), 16_000)
    row = model.recognize_frame([path]).iloc[0]
    assert pd.isna(row["label"])
    assert pd.isna(row["confidence"])
    assert row["short"]
    assert len(model.recognize_frame([path], segments=True)) == 0


def test_no_files_make_an_empty_table(model: Model) -> None:
    whole, parts = (model.recognize_frame([], segments=x) for x in (False, True))
    assert len(whole) == len(parts) == 0
    assert audformat.is_filewise_index(whole.index)
    assert audformat.is_segmented_index(parts.index)
    assert "sad" in whole.columns


def test_a_missing_library_is_named(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ser_stream.pipeline.data_frame", raising=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingLibraryError, match=r'"ser-stream\[frame\]"'):
        model.recognize_frame([])
