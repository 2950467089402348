"""Rows -> JSON lines, CSV, or text."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

WriteRow = Callable[[dict[str, Any]], object]
WriteText = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Columns:
    """What rows have, before there is any."""

    labels: Sequence[str]
    """Of the model."""
    segments: bool = False
    """Whether also the emotions in time."""
    speakers: bool = False
    """Whether also who speaks."""


def _json_rows(_columns: Columns, write_text: WriteText) -> WriteRow:
    return lambda row: write_text(json.dumps(row, ensure_ascii=False) + "\n")


def _csv_rows(columns: Columns, write_text: WriteText) -> WriteRow:
    """Scores in a column a label; what is a list, if wanted, as JSON at the end."""
    names = ["file", "label", "confidence", *columns.labels, "speech_s", "duration_s"]
    names += ["short", "cut", "damaged", "channel"]
    names += ["speakers"] if columns.speakers else []
    names += ["segments"] if columns.segments else []
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
        for name in ("speakers", "segments"):
            if name in row:
                row[name] = json.dumps(row[name])
        writer.writerow(row)
        write_text(text.getvalue())
        text.seek(0)
        text.truncate()

    return write_row


def _text_rows(columns: Columns, write_text: WriteText) -> WriteRow:
    width = max(map(len, columns.labels)) + 4

    def write_row(result: dict[str, Any]) -> None:
        label = result["label"] or "no speech"
        confidence = result["confidence"]
        shown = "    " if confidence is None else f"{confidence:.2f}"
        notes = [name for name in ("short", "cut", "damaged") if result.get(name)]
        if "channel" in result:
            notes.insert(0, f"channel {result['channel']}")
        if result.get("speakers"):
            numbers = result["speakers"]
            who = "speaker" if len(numbers) == 1 else "speakers"
            notes.append(f"{who} {', '.join(map(str, numbers))}")
        note = f"  ({', '.join(notes)})" if notes else ""
        lines = [f"{label:<{width}} {shown}  {written_out(result['file'])}{note}"]
        for segment in result.get("segments", ()):
            start, end = segment["start_ms"] / 1000, segment["end_ms"] / 1000
            who = segment.get("speaker")
            said = segment["label"] + ("" if who is None else f"  speaker {who}")
            lines.append(f"    {start:8.2f} - {end:8.2f} s  {said}")
        write_text("\n".join(lines) + "\n")

    return write_row


def written_out(name: str) -> str:
    """A file's name for a terminal: what would move the cursor is written out."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in name
    )


TABLES: dict[str, Callable[[Columns, WriteText], WriteRow]] = {
    "json": _json_rows,
    "csv": _csv_rows,
    "text": _text_rows,
}
"""By the name that `--format` takes: what writes a row, as text."""
