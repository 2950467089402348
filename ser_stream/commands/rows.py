"""What `ser-stream recognize` prints of a file: JSON lines, CSV, or text."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from ser_stream.commands.output import write


class JsonLines:
    """One JSON object a line."""

    def __init__(self, labels: Sequence[str], segments: bool) -> None:
        del labels, segments

    def __call__(self, result: dict[str, Any]) -> None:
        write(json.dumps(result, ensure_ascii=False) + "\n")


class CsvRows:
    """Scores in a column a label; segments, if wanted, as JSON in the last column."""

    def __init__(self, labels: Sequence[str], segments: bool) -> None:
        self._labels = labels
        names = ["file", "label", "confidence", *labels, "speech_s", "duration_s"]
        names += ["short", *(["segments"] if segments else [])]
        self._text = io.StringIO()
        self._writer = csv.DictWriter(self._text, names, lineterminator="\n")
        self._writer.writeheader()

    def __call__(self, result: dict[str, Any]) -> None:
        row = {"short": False, **result, **(result["scores"] or {})}
        del row["scores"]
        if "segments" in row:
            row["segments"] = json.dumps(row["segments"])
        self._writer.writerow(row)
        write(self._text.getvalue())
        self._text.seek(0)
        self._text.truncate()


class TextLines:
    """As text."""

    def __init__(self, labels: Sequence[str], segments: bool) -> None:
        self._width = max(len(label) for label in labels)
        del segments

    def __call__(self, result: dict[str, Any]) -> None:
        label = result["label"] or "no speech"
        confidence = result["confidence"]
        shown = "    " if confidence is None else f"{confidence:.2f}"
        short = "  (short)" if result.get("short") else ""
        lines = [f"{label:<{self._width + 4}} {shown}  {result['file']}{short}"]
        for segment in result.get("segments", ()):
            start, end = segment["start_ms"] / 1000, segment["end_ms"] / 1000
            lines.append(f"    {start:8.2f} - {end:8.2f} s  {segment['label']}")
        write("\n".join(lines) + "\n")


FORMATS: dict[str, type[JsonLines | CsvRows | TextLines]] = {
    "json": JsonLines,
    "csv": CsvRows,
    "text": TextLines,
}
