"""Any corpus as a folder with a manifest.csv.

Columns: file (relative to the manifest), speaker, sex, emotion (common name), and as
far as known emotion_code, sentence, language.
"""

import csv
from pathlib import Path

from ser_stream.errors import SourceError
from training.corpora.utterance import LABELS, Utterance

REQUIRED = ("file", "speaker", "emotion")


def read_manifest(folder: Path, corpus: str) -> list[Utterance]:
    """The rows of `folder/manifest.csv`.

    Raises:
        SourceError: if a column is missing, a label unknown or a file absent.
    """
    path = folder / "manifest.csv"
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or [])]
        if missing:
            raise SourceError(f"{path}: no column {', '.join(missing)}")
        rows = list(reader)
    result = []
    for line, row in enumerate(rows, start=2):
        if row["emotion"] not in LABELS:
            raise SourceError(
                f"{path}:{line}: emotion {row['emotion']!r} is unknown; "
                f"allowed: {', '.join(LABELS)}"
            )
        audio = folder / row["file"]
        if not audio.is_file():
            raise SourceError(f"{path}:{line}: there is no file {audio}")
        result.append(
            Utterance(
                corpus,
                audio,
                row["speaker"],
                row.get("sex") or "unknown",
                row["emotion"],
                row.get("sentence") or "",
                row.get("language") or "",
            )
        )
    return result
