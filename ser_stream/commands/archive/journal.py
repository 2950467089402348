"""What is done of a run, on disk: a run that was killed goes on where it was.

Beside the file that a run is to write lies its journal until the run is done: a line
that says what was asked for, and a line for each recording. The file itself is written
at the end, whole. A recording that has changed since is not done.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ser_stream.commands.archive.task import Job, Result, Row
from ser_stream.errors import ConfigError, SinkError

SUFFIX = ".part"


class Journal:
    """Rows of recordings by their names."""

    def __init__(self, out: Path, job: Job, bundle_sha256: str) -> None:
        """Open the journal of a file, or begin one.

        Raises:
            ConfigError: if the file is there, or the journal is of another run.
            SinkError: if it cannot be written.
        """
        if out.exists() and not out.is_file():
            raise ConfigError(
                f"{out} is no regular file; name one, or leave out --out for standard "
                "output"
            )
        self.path = out.with_name(out.name + SUFFIX)
        self._places: dict[str, int] = {}
        asked = {"model": bundle_sha256, "asked": _hash(job)}
        # With a journal beside it, a run in which some failed goes on.
        if os.path.lexists(out) and not self.path.exists():
            raise ConfigError(
                f"{out} is there already; remove it first, or name another file"
            )
        try:
            self._file: IO[bytes] = self.path.open("a+b")
            self._lock()
            self._file.seek(0)
            head = self._file.readline()
            if not head.endswith(b"\n"):
                self._file.truncate(0)
                self._write(asked)
            elif _parsed(head) != asked:
                raise ConfigError(
                    f"{self.path} is the beginning of a run with another model or "
                    "other settings; go on with those, or remove it"
                )
            else:
                self._read_on()
        except OSError as error:
            raise SinkError(
                f"{self.path} cannot be written: {error.strerror}"
            ) from None

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise ConfigError(
                f"{self.path} is being written by another run; wait for it, or name "
                "another file"
            ) from None

    def _read_on(self) -> None:
        while True:
            place = self._file.tell()
            line = self._file.readline()
            entry = _parsed(line)
            if entry is None:
                # Cut off in the middle, or not written at all: done anew.
                self._file.truncate(place)
                self._file.seek(place)
                return
            name, heard = entry["name"], entry.get("state")
            # Journals of before have none; a disk that is gone changes nothing.
            if heard is None or (_state(name) or heard) == heard:
                self._places[name] = place
            else:
                self._places.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def add(self, result: Result) -> None:
        """Note what became of a recording, unless nothing of it could be heard.

        Raises:
            SinkError: if it cannot be written, as on a full disk.
        """
        if not result.rows:
            return
        try:
            self._file.seek(0, os.SEEK_END)
            self._places[result.name] = self._file.tell()
            entry = {"name": result.name, "state": _state(result.name)}
            self._write(entry | {"rows": result.rows})
        except OSError as error:
            raise SinkError(
                f"{self.path} cannot be written: {error.strerror}"
            ) from None

    def rows(self, name: str) -> list[Row]:
        """The rows of a recording that is done."""
        self._file.seek(self._places[name])
        rows: list[Row] = json.loads(self._file.readline())["rows"]
        return rows

    def _write(self, entry: Any) -> None:
        # A line at once, so that what can be read is whole.
        text = json.dumps(entry, ensure_ascii=True) + "\n"
        self._file.write(text.encode())
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """The run is done."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


def _parsed(line: bytes) -> Any:
    if not line.endswith(b"\n"):
        return None
    try:
        return json.loads(line)
    except ValueError:
        return None


def _state(name: str) -> list[int] | None:
    """Size and time of a file, by which a change is known; None of what is no file."""
    try:
        status = Path(name).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return [status.st_size, status.st_mtime_ns]


def _hash(job: Job) -> str:
    asked = repr((job.config, job.wanted, job.segments))
    return hashlib.sha256(asked.encode()).hexdigest()


def all_rows(journal: Journal, names: Sequence[str]) -> Iterator[Row]:
    """Rows of all recordings that are done, in the order in which they were given."""
    for name in names:
        if name in journal:
            yield from journal.rows(name)
