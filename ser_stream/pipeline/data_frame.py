"""What was recognised of many files, as a table of pandas.

The index is audformat's (https://audeering.github.io/audformat/data-tables.html):
files, or stretches of files, so that such a table joins others by it.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

Row = dict[str, Any]
"""Of a file: `file`, and either `error` or the fields of `Recognition.to_dict`."""
FLAGS = ("short", "cut", "damaged")
"""Fields that are there only where they are true."""
TYPES = {"label": "string", "error": "string", **dict.fromkeys(FLAGS, "boolean")}
"""Of columns; all others are numbers."""


def by_file(rows: Sequence[Row], labels: Sequence[str]) -> pd.DataFrame:
    """A row a file, its index their names.

    Args:
        rows: one a file.
        labels: of the model, which gives each a column with its score.
    """
    names = ["label", "confidence", *labels, "speech_s", "duration_s", *FLAGS, "error"]
    flat = [
        row
        if "error" in row
        else {**dict.fromkeys(FLAGS, False), **row, **(row["scores"] or {})}
        for row in rows
    ]
    return _table(flat, names, pd.Index(_files(rows), dtype="string", name="file"))


def by_segment(rows: Sequence[Row]) -> pd.DataFrame:
    """A row an emotion, its index (file, start, end), times as `Timedelta`.

    A file without emotions has no row. One that could not be read has one, from 0 to
    NaT, which is audformat's for a whole file of unknown length.

    Args:
        rows: one a file, with `segments`.
    """
    flat = [
        {"file": file, **segment}
        for row, file in zip(rows, _files(rows), strict=True)
        for segment in row.get("segments", [{"start_ms": 0, "error": row.get("error")}])
    ]
    index = pd.MultiIndex.from_arrays(
        [
            pd.array([row["file"] for row in flat], dtype="string"),
            *(_times(flat, name) for name in ("start_ms", "end_ms")),
        ],
        names=["file", "start", "end"],
    )
    return _table(flat, ["label", "confidence", "error"], index)


def _times(rows: Sequence[Row], name: str) -> pd.TimedeltaIndex:
    values = pd.array([row.get(name) for row in rows], dtype="float64")
    return pd.to_timedelta(values, unit="ms").as_unit("ns")


def _table(rows: Sequence[Row], names: Sequence[str], index: pd.Index) -> pd.DataFrame:
    columns = {
        name: pd.array(
            [_encodable(row.get(name)) for row in rows], TYPES.get(name, "float64")
        )
        for name in names
    }
    return pd.DataFrame(columns, index=index)


def _files(rows: Sequence[Row]) -> list[Any]:
    return [_encodable(row["file"]) for row in rows]


def _encodable(value: Any) -> Any:
    # A name that is no UTF-8 is printed with question marks, too.
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return value
