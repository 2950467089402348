"""What `ser-stream recognize` prints of a file: JSON lines, CSV, or text."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from ser_stream.commands.output import write, write_json

WriteRow = Callable[[dict[str, Any]], None]


def _csv_rows(labels: Sequence[str], segments: bool) -> WriteRow:
    """Scores in a column a label; segments, if wanted, as JSON in the last column."""
    names = ["file", "label", "confidence", *labels, "speech_s", "duration_s"]
    names += ["short", *(["segments"] if segments else [])]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()

    def write_row(result: dict[str, Any]) -> None:
        row = {"short": False, **result, **(result["scores"] or {})}
        del row["scores"]
        if "segments" in row:
            row["segments"] = json.dumps(row["segments"])
        writer.writerow(row)
        write(text.getvalue())
        text.seek(0)
        text.truncate()

    return write_row


def _text_rows(labels: Sequence[str], _segments: bool) -> WriteRow:
    width = max(map(len, labels)) + 4

    def write_row(result: dict[str, Any]) -> None:
        label = result["label"] or "no speech"
        confidence = result["confidence"]
        shown = "    " if confidence is None else f"{confidence:.2f}"
        short = "  (short)" if result.get("short") else ""
        lines = [f"{label:<{width}} {shown}  {result['file']}{short}"]
        for segment in result.get("segments", ()):
            start, end = segment["start_ms"] / 1000, segment["end_ms"] / 1000
            lines.append(f"    {start:8.2f} - {end:8.2f} s  {segment['label']}")
        write("\n".join(lines) + "\n")

    return write_row


FORMATS: dict[str, Callable[[Sequence[str], bool], WriteRow]] = {
    "json": lambda _labels, _segments: write_json,
    "csv": _csv_rows,
    "text": _text_rows,
}
