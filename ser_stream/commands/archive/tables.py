"""Rows -> JSON lines, CSV, or text."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

WriteRow = Callable[[dict[str, Any]], object]
WriteText = Callable[[str], object]


def _json_rows(
    _labels: Sequence[str], _segments: bool, write_text: WriteText
) -> WriteRow:
    return lambda row: write_text(json.dumps(row, ensure_ascii=False) + "\n")


def _csv_rows(labels: Sequence[str], segments: bool, write_text: WriteText) -> WriteRow:
    """Scores in a column a label; segments, if wanted, as JSON in the last column."""
    names = ["file", "label", "confidence", *labels, "speech_s", "duration_s"]
    names += ["short", "cut", "damaged", "channel"]
    names += ["segments"] if segments else []
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()

    def write_row(result: dict[str, Any]) -> None:
        row = {
            "short": False,
            "cut": False,
            "damaged": False,
            **result,
            **(result["scores"] or {}),
        }
        del row["scores"]
        if "segments" in row:
            row["segments"] = json.dumps(row["segments"])
        writer.writerow(row)
        write_text(text.getvalue())
        text.seek(0)
        text.truncate()

    return write_row


def _text_rows(
    labels: Sequence[str], _segments: bool, write_text: WriteText
) -> WriteRow:
    width = max(map(len, labels)) + 4

    def write_row(result: dict[str, Any]) -> None:
        label = result["label"] or "no speech"
        confidence = result["confidence"]
        shown = "    " if confidence is None else f"{confidence:.2f}"
        notes = [name for name in ("short", "cut", "damaged") if result.get(name)]
        if "channel" in result:
            notes.insert(0, f"channel {result['channel']}")
        note = f"  ({', '.join(notes)})" if notes else ""
        lines = [f"{label:<{width}} {shown}  {written_out(result['file'])}{note}"]
        for segment in result.get("segments", ()):
            start, end = segment["start_ms"] / 1000, segment["end_ms"] / 1000
            lines.append(f"    {start:8.2f} - {end:8.2f} s  {segment['label']}")
        write_text("\n".join(lines) + "\n")

    return write_row


def written_out(name: str) -> str:
    """A file's name for a terminal: what would move the cursor is written out."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in name
    )


TABLES: dict[str, Callable[[Sequence[str], bool, WriteText], WriteRow]] = {
    "json": _json_rows,
    "csv": _csv_rows,
    "text": _text_rows,
}
"""By the name that `--format` takes: what writes a row, as text."""
