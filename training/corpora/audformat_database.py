"""Any corpus as an audformat database: a folder with db.yaml, tables and audio.

The labels are those of the schemes (or columns) `emotion` and `speaker`, and as far as
known `gender` or `sex`, `transcription` and `language`, wherever in the database they
stand; where a table is named `emotion`, as in audEERING's packages, it alone says which
files are meant (EmoDB 2.0 has laryngograms in others).
"""

import contextlib
import numbers
import warnings
from pathlib import Path
from typing import Any

from ser_stream.errors import MissingLibraryError, SourceError
from training.corpora.labels import LABELS, common_label
from training.corpora.utterance import Utterance

HEADER = "db.yaml"
FURTHER = ("speaker", "gender", "sex", "transcription", "language")


def read_audformat(folder: Path, corpus: str) -> list[Utterance]:
    """The whole files of the database in `folder` that have an emotion.

    Raises:
        MissingLibraryError: if the package audformat is not installed.
        SourceError: if the database is damaged, its emotions or speakers are absent,
            unknown or contradictory, or its labels belong to parts of files.
    """
    table, languages = _labels(folder)
    table = table[table["emotion"].notna()]
    if table.empty:
        raise SourceError(f"{folder / HEADER}: no table has labels of a scheme emotion")
    if "start" in table.index.names:
        whole = (table.index.get_level_values("start").total_seconds() == 0) & (
            table.index.get_level_values("end").isna()
        )
        if not whole.all():
            raise SourceError(
                f"{folder / HEADER}: the emotions belong to parts of files; cut these "
                "parts into files of their own, or use a table of whole files"
            )
        table = table.droplevel(["start", "end"])
    unknown = sorted({str(e) for e in table["emotion"] if not common_label(str(e))})
    if unknown:
        raise SourceError(
            f"{folder / HEADER}: emotion {', '.join(map(repr, unknown))} is unknown; "
            f"allowed: {', '.join(LABELS)}; write a manifest.csv without these files"
        )
    if (unnamed := table["speaker"].isna()).any():
        raise SourceError(
            f"{folder / HEADER}: {int(unnamed.sum())} of {len(table)} files have no "
            "speaker; a scheme speaker must name one for each"
        )
    return [
        Utterance(
            corpus,
            folder / str(file),
            _speaker(row["speaker"]),
            _text(row["gender"]) or _text(row["sex"]) or "unknown",
            common_label(str(row["emotion"])) or "",
            _text(row["transcription"]),
            _text(row["language"]) or languages,
        )
        for file, row in table.iterrows()
    ]


def _labels(folder: Path) -> tuple[Any, str]:
    """A pandas table by file, `emotion` and `FURTHER`; the database's languages."""
    try:
        import audformat
    except ImportError as error:
        raise MissingLibraryError(
            f"{folder} is an audformat database, and the Python package audformat is "
            f"not installed ({error}); pip install 'ser-stream[train]'"
        ) from error
    try:
        with warnings.catch_warnings():
            # It calls pandas in ways that will go one day; no user here can mend that.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            database = audformat.Database.load(str(folder))
            all_tables = list(database.tables)
            tables = ["emotion"] if "emotion" in all_tables else all_tables
            table = database.get("emotion", list(FURTHER), tables=tables, map=False)
    except Exception as error:  # noqa: BLE001  YAML's, audformat's and pandas's own
        reason = " ".join(str(error).split())
        raise SourceError(f"{folder / HEADER} cannot be used: {reason}") from None
    return table, ", ".join(map(str, database.languages or []))


def _speaker(value: object) -> str:
    """EmoDB's 3 is speaker 03, as in its file names."""
    return f"{value:02d}" if isinstance(value, numbers.Integral) else str(value)


def _text(value: object) -> str:
    # NaN, None and pandas's NA are three things that all mean: not known.
    with contextlib.suppress(TypeError):
        return "" if value is None or value != value else str(value)
    return ""
