"""A table of many files, as pandas and pyarrow read it."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import ser_stream
from ser_stream.commands.exports.parquet import GROUP, parquet_table
from ser_stream.errors import MissingLibraryError, QuietEndError, SinkError
from tests.helpers.paths import DATA, MINUTE

LABELS = ("angry", "fear", "happy", "neutral", "sad")
SILENT = {
    "file": "a\nb\udcff.wav",
    "label": None,
    "confidence": None,
    "scores": None,
    "speech_s": 0.0,
    "duration_s": 2.0,
    "short": True,
    "channel": 2,
}


def test_a_table_holds_what_recognize_says(tmp_path: Path) -> None:
    model = ser_stream.load("open")
    paths = [MINUTE, *sorted(DATA.glob("[01]*.flac"))[:2]]
    rows: list[dict[str, Any]] = [
        {"file": str(path), **model.recognize(path).to_dict(segments=True)}
        for path in paths
    ]
    place = tmp_path / "emotions.parquet"
    with parquet_table(place, model.labels) as write_row:
        for row in [*rows, SILENT]:
            write_row(row)
    table = pd.read_parquet(place)
    assert list(table.columns) == [
        *("file", "label", "confidence", *LABELS, "speech_s", "duration_s"),
        *("short", "cut", "damaged", "channel", "segments"),
    ]
    for (_, found), row in zip(table.iterrows(), rows, strict=False):
        for key in ("file", "label", "confidence", "speech_s", "duration_s"):
            assert found[key] == row[key]
        assert {label: found[label] for label in LABELS} == row["scores"]
        assert list(found["segments"]) == row["segments"]
        assert not found["short"]
    last = table.iloc[-1]
    assert last["file"] == "a\nb?.wav"
    assert last[["label", "confidence", *LABELS, "segments"]].isna().all()
    assert (last["short"], last["cut"], last["channel"]) == (True, False, 2)


def test_rows_go_to_disk_in_groups(tmp_path: Path) -> None:
    place = tmp_path / "emotions.parquet"
    with parquet_table(place, LABELS) as write_row:
        for number in range(2 * GROUP + 1):
            write_row({**SILENT, "duration_s": float(number)})
    file = pq.ParquetFile(place)
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    assert [group.num_rows for group in groups] == [GROUP, GROUP, 1]
    lengths = file.read(["duration_s"])["duration_s"].to_pylist()
    assert lengths == list(range(2 * GROUP + 1))


def test_without_rows_a_table_has_its_columns(tmp_path: Path) -> None:
    place = tmp_path / "emotions.parquet"
    with parquet_table(place, LABELS):
        pass
    table = pd.read_parquet(place)
    assert len(table) == 0
    assert {"file", *LABELS} < set(table.columns)


def test_a_table_that_is_not_finished_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "emotions.parquet"
    place.write_text("old")

    def stopped() -> None:
        with parquet_table(place, LABELS) as write_row:
            write_row(SILENT)
            raise QuietEndError

    with pytest.raises(QuietEndError):
        stopped()
    assert place.read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(SinkError, match=r"cannot be written: .*name another place"),
        parquet_table(tmp_path, LABELS),
    ):
        pass


def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = r'--format parquet needs .*pip install "ser-stream\[frame\]"'
    with (
        pytest.raises(MissingLibraryError, match=message),
        parquet_table(tmp_path / "emotions.parquet", LABELS),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
