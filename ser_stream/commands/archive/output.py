"""Where the rows of a run go: standard output, a file, or a document a recording."""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Protocol

from ser_stream.atomic_file import replacing
from ser_stream.commands.archive.journal import Journal, all_rows
from ser_stream.commands.archive.tables import TABLES, Columns, WriteText
from ser_stream.commands.archive.task import Job, Result, Row, is_whole
from ser_stream.commands.exports import DOCUMENTS, require, write_document
from ser_stream.commands.exports.parquet import parquet_table
from ser_stream.commands.out_file import require_folder_of
from ser_stream.commands.output import write
from ser_stream.errors import ConfigError, SinkError
from ser_stream.paths import is_folder
from ser_stream.pipeline.bundle import Bundle
from ser_stream.sources.recorded import STDIN

_LOGGER = logging.getLogger(__name__)
PARQUET = "parquet"
ONE_FILE = (*TABLES, PARQUET, "rttm")
"""Formats that hold many recordings in one file."""


class Output(Protocol):
    """Takes what became of recordings, in their order."""

    def is_done(self, name: str, /) -> bool:
        """Whether an earlier run has done this recording."""

    def was_whole(self, name: str, /) -> bool:
        """Whether that run heard all of it, as far as is known."""

    def add(self, result: Result, /) -> None: ...

    def finish(self, names: Sequence[str], /) -> None:
        """All is done; what is written whole is written now."""


def check_format(format: str, out: Path | None, n: int) -> None:
    """See that a format can go where it is to go, before anything is computed.

    Raises:
        ConfigError: if not.
        MissingLibraryError: if its library is not installed.
    """
    if format in DOCUMENTS:
        require(format)
    if format == PARQUET and out is None:
        raise ConfigError("parquet is no text: name its file with --out FILE")
    if format not in ONE_FILE and out is None and n > 1:
        raise ConfigError(
            f"{format} is a document a recording, and there are {n}: name a folder for "
            "them with --out DIR"
        )


@contextlib.contextmanager
def open_output(
    format: str,
    out: Path | None,
    names: Sequence[str],
    job: Job,
    bundle: Bundle,
    to_folder: bool = False,
) -> Iterator[Output]:
    """The output of a run.

    Documents go to a folder where `to_folder` is true or there are several recordings,
    or where `out` is one.

    Raises:
        ConfigError, SinkError: if it cannot be used.
    """
    columns = Columns(bundle.labels, job.segments, job.speakers)
    if out is None:
        yield Standard(format, columns)
    elif format not in ONE_FILE and (to_folder or len(names) > 1 or is_folder(out)):
        yield Folder(out, format, names)
    else:
        require_folder_of(out)
        journal = Journal(out, job, bundle.sha256)
        try:
            yield OneFile(out, format, journal, columns)
        finally:
            journal.close()


class Standard:
    """Each row as soon as it is there."""

    def __init__(self, format: str, columns: Columns) -> None:
        self._format = format
        table = TABLES.get(format)
        self._write_row = table and table(columns, write)

    def is_done(self, _name: str) -> bool:
        return False

    def was_whole(self, _name: str) -> bool:
        return True

    def add(self, result: Result) -> None:
        if self._write_row is not None:
            for row in result.rows:
                self._write_row(row)
        elif result.rows:
            write(DOCUMENTS[self._format].render(result.rows))

    def finish(self, _names: Sequence[str]) -> None: ...


class OneFile:
    """Rows are kept in a journal until all are there."""

    def __init__(
        self, out: Path, format: str, journal: Journal, columns: Columns
    ) -> None:
        self._out, self._format, self.journal = out, format, journal
        self._columns = columns

    def is_done(self, name: str) -> bool:
        return name in self.journal

    def was_whole(self, name: str) -> bool:
        return is_whole(self.journal.rows(name))

    def add(self, result: Result) -> None:
        self.journal.add(result)

    def finish(self, names: Sequence[str]) -> None:
        rows = all_rows(self.journal, names)
        if self._format == PARQUET:
            columns = self._columns
            with parquet_table(
                self._out, columns.labels, speakers=columns.speakers
            ) as write_row:
                for row in rows:
                    write_row(row)
        else:
            self._write_text(rows)
        failed = sum(name not in self.journal for name in names)
        if not failed:
            self.journal.remove()
            return
        _LOGGER.warning(
            "%d of %d recordings failed; once they are mended, the same command goes "
            "on with them (%s has the others)",
            failed,
            len(names),
            self.journal.path,
        )

    def _write_text(self, rows: Iterator[Row]) -> None:
        try:
            with (
                replacing(self._out) as part,
                part.open("w", encoding="utf-8", errors="backslashreplace") as file,
            ):
                self._write_rows(rows, file.write)
        except OSError as error:
            raise SinkError(
                f"{self._out} cannot be written: {error.strerror}; what is done is in "
                f"{self.journal.path}, and the same command goes on"
            ) from None

    def _write_rows(self, rows: Iterator[Row], write_text: WriteText) -> None:
        table = TABLES.get(self._format)
        if table is not None:
            write_row = table(self._columns, write_text)
            for row in rows:
                write_row(row)
            return
        for row in rows:
            write_text(DOCUMENTS[self._format].render([row]))


class Folder:
    """A document a recording, named after it."""

    def __init__(self, folder: Path, format: str, names: Sequence[str]) -> None:
        self._format = format
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise SinkError(f"{folder} is a file; name a folder") from None
        except OSError as error:
            raise SinkError(f"{folder} cannot be made: {error.strerror}") from None
        suffix = DOCUMENTS[format].suffix
        self.paths = {
            name: folder / path for name, path in _named(names, suffix).items()
        }

    def is_done(self, name: str) -> bool:
        return self.paths[name].exists()

    def was_whole(self, _name: str) -> bool:
        return True  # A document does not say.

    def add(self, result: Result) -> None:
        if not result.rows:
            return
        path = self.paths[result.name]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{path.parent} cannot be made: {error.strerror}") from None
        write_document(path, self._format, result.rows)

    def finish(self, _names: Sequence[str]) -> None: ...


def _named(names: Sequence[str], suffix: str) -> Mapping[str, PurePath]:
    """A path for the document of each recording, below the folder they share.

    `a/x.wav` and `b/x.wav` stay apart by their folders, `x.wav` and `x.mp3` by their
    endings.
    """
    real = [name for name in names if name != STDIN]
    folders = [str(Path(name).absolute().parent) for name in real]
    base = os.path.commonpath(folders) if folders else ""
    inner = {name: Path(os.path.relpath(Path(name).absolute(), base)) for name in real}
    found: dict[str, PurePath] = {STDIN: PurePath("stdin" + suffix)}
    found |= {name: p.with_name(p.stem + suffix) for name, p in inner.items()}
    whole = {name: p.with_name(p.name + suffix) for name, p in inner.items()}
    while True:
        times = Counter(found.values())
        shared = [n for n in inner if times[found[n]] > 1 and found[n] != whole[n]]
        if not shared:
            return found
        found |= {name: whole[name] for name in shared}
