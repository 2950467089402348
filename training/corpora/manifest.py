"""Any corpus as a table in CSV, by custom a manifest.csv in the corpus's folder.

Columns: file (relative to the table), speaker (`unknown` where not named), emotion, and
as far as known sex, sentence and language; others are ignored.
"""

import csv
from pathlib import Path

from ser_stream.errors import SourceError
from training.corpora.labels import LABELS, common_label
from training.corpora.utterance import Utterance

REQUIRED = ("file", "speaker", "emotion")


def read_manifest(path: Path, corpus: str) -> list[Utterance]:
    """The rows of the table at `path`.

    Raises:
        SourceError: if the table is no CSV, lacks a column or all rows, or holds an
            unknown label.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            names = reader.fieldnames or []
            missing = [name for name in REQUIRED if name not in names]
            if missing:
                raise SourceError(f"{path}: no column {', '.join(missing)}")
            # Not all rows are a line each: some are empty, some have text of several.
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as a table: {error}") from None
    if not rows:
        raise SourceError(
            f"{path} has a header but no rows; it needs one for each file"
        )
    result = []
    for line, row in rows:
        emotion = common_label(row["emotion"])
        if emotion is None:
            raise SourceError(
                f"{path}:{line}: emotion {row['emotion']!r} is unknown; "
                f"allowed: {', '.join(LABELS)}"
            )
        empty = [name for name in ("file", "speaker") if not row[name]]
        if empty:
            raise SourceError(
                f"{path}:{line}: no {' and no '.join(empty)}; a speaker who is not "
                "named is `unknown`"
            )
        result.append(
            Utterance(
                corpus,
                path.parent / row["file"],
                row["speaker"],
                row.get("sex") or "unknown",
                emotion,
                row.get("sentence") or "",
                row.get("language") or "",
            )
        )
    return result
