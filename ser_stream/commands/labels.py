"""Labels that a person gave recordings, from a CSV file."""

import csv
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.tuning.streams import Segment

COLUMNS = (("file", "label"), ("file", "start_s", "end_s", "label"))
TOLERANCE_S = 0.1
"""Seconds that a segment may end after its recording: times get rounded."""
SHOWN = 5
"""How many names a message lists."""


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    start_s: float
    end_s: float | None
    """None: to the end of the recording."""
    label: str


@dataclass(frozen=True, slots=True)
class Labels:
    rows: dict[Path, list[Row]]
    """Labelled stretches of each recording, in order of time; may be none."""
    bare: set[Path] = field(default_factory=set)
    """Recordings that the file does not name at all."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Labels that the model does not know, and how often they were left out."""

    def segments(self, path: Path, csv_path: Path, duration_s: float) -> list[Segment]:
        """The segments of one recording.

        Raises:
            ConfigError: if one lies outside of it.
        """
        result = []
        for row in self.rows[path]:
            end_s = duration_s if row.end_s is None else row.end_s
            if end_s > duration_s + TOLERANCE_S or row.start_s >= duration_s:
                raise ConfigError(
                    f"{csv_path}, line {row.line}: {row.start_s:g} to {end_s:g} s lies "
                    f"outside of {path}; allowed: 0 to {duration_s:.2f} s"
                )
            end = round(min(end_s, duration_s) * SAMPLE_RATE)
            start = round(row.start_s * SAMPLE_RATE)
            result.append(Segment(start, max(end, start + 1), row.label))
        return result


def read_labels(path: Path, files: Sequence[Path], labels: Sequence[str]) -> Labels:
    """Read and check a CSV file of labels.

    Args:
        path: of the file; its header is one of `COLUMNS`.
        files: the recordings; a row names one by its name, its path, or its path's end.
        labels: those that the model knows; case does not matter.

    Raises:
        ConfigError: with file, line and what is allowed, if anything is wrong. A label
            that the model does not know is not wrong: it is left out and counted.
    """
    known = {label.casefold(): label for label in labels}
    result = Labels({file: [] for file in files}, set(files))
    for line, cells in _read(path):
        row = _row(path, line, cells)
        file = _find(path, line, cells["file"], files)
        result.bare.discard(file)
        label = known.get(row.label.casefold())
        if label is None:
            result.unknown[row.label] += 1
            continue
        _check_apart(path, row, result.rows[file])
        result.rows[file].append(Row(line, row.start_s, row.end_s, label))
    for rows in result.rows.values():
        rows.sort(key=lambda row: row.start_s)
    if not any(result.rows.values()):
        raise ConfigError(
            f"{path} holds no label that the model knows"
            + (f" ({say_unknown(result.unknown, labels)})" if result.unknown else "")
            + f"; allowed: {', '.join(labels)}"
        )
    return result


def say_unknown(unknown: Counter[str], labels: Sequence[str]) -> str:
    """Labels that were left out, how often, and what they may have been meant for."""
    said = []
    for name, n in unknown.most_common(SHOWN):
        near = get_close_matches(name.casefold(), labels, n=1, cutoff=0.75)
        said.append(f"{name} {n}" + (f" (did you mean {near[0]}?)" if near else ""))
    if len(unknown) > SHOWN:
        said.append("...")
    return ", ".join(said)


def _read(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        # With the mark that spreadsheets put in front of UTF-8, or without it.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if sorted(header) not in [sorted(names) for names in COLUMNS]:
                allowed = " or ".join(",".join(names) for names in COLUMNS)
                raise ConfigError(
                    f"{path}, line 1: the columns are {','.join(header) or 'none'}; "
                    f"allowed: {allowed}"
                )
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise ConfigError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells, but the "
                        f"header has {len(header)}: {','.join(header)}"
                    )
                stripped = (cell.strip() for cell in cells)
                yield reader.line_num, dict(zip(header, stripped, strict=True))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no CSV in UTF-8: {error}") from None


def _row(path: Path, line: int, cells: dict[str, str]) -> Row:
    if "start_s" not in cells:
        return Row(line, 0.0, None, cells["label"])
    try:
        start, end = float(cells["start_s"]), float(cells["end_s"])
    except ValueError:
        start = end = math.nan
    if not 0 <= start < end < math.inf:
        raise ConfigError(
            f"{path}, line {line}: start_s is {cells['start_s'] or 'empty'} and end_s "
            f"is {cells['end_s'] or 'empty'}; allowed: seconds, 0 <= start_s < end_s"
        )
    return Row(line, start, end, cells["label"])


def _find(path: Path, line: int, name: str, files: Sequence[Path]) -> Path:
    wanted = Path(name).parts
    exact = [f for f in files if f == Path(name)]
    found = exact or [
        file
        for file in files
        # The end of an absolute path is a name, a path from anywhere, or all of it.
        if wanted and Path(os.path.abspath(file)).parts[-len(wanted) :] == wanted  # noqa: PTH100
    ]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(map(str, (found or files)[:SHOWN]))
    shown += ", ..." if len(found or files) > SHOWN else ""
    if found:
        raise ConfigError(
            f"{path}, line {line}: {name} may be any of {shown}; write more of its path"
        )
    raise ConfigError(
        f"{path}, line {line}: {name or 'an empty name'} is none of the recordings "
        f"given; allowed: {shown}"
    )


def _check_apart(path: Path, row: Row, others: Sequence[Row]) -> None:
    end = math.inf if row.end_s is None else row.end_s
    for other in others:
        other_end = math.inf if other.end_s is None else other.end_s
        if row.start_s < other_end and other.start_s < end:
            raise ConfigError(
                f"{path}, line {row.line}: the time is labelled in line {other.line} "
                "already; allowed: one label at a time"
            )
