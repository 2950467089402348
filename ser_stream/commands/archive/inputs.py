"""Files, folders and lists -> the recordings, in order."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser_stream.commands.folder_speech import SUFFIXES
from ser_stream.errors import ConfigError, SourceError
from ser_stream.paths import is_folder
from ser_stream.sources.recorded import STDIN


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the command line names."""

    files: Sequence[str]
    """Files, folders, or `-`; as they were given."""
    recursive: bool = False
    """Whether folders within folders count."""
    files_from: str | None = None
    """A file with a name a line, or `-`; names may be separated by zeros instead."""

    def __post_init__(self) -> None:
        if not self.files and self.files_from is None:
            raise ConfigError(
                "name recordings or folders, - for standard input, or a list of names "
                "with --files-from"
            )
        if STDIN in self.files and self.files_from == STDIN:
            raise ConfigError(
                "standard input cannot be a recording and the list of them; allowed is "
                "one - "
            )
        if "" in self.files:
            raise ConfigError("the name of a recording is empty")

    @property
    def may_be_many(self) -> bool:
        """Whether another day the same words may name more than one recording."""
        listed = self.recursive or self.files_from is not None
        return listed or any(
            name != STDIN and is_folder(Path(name)) for name in self.files
        )


def recordings(inputs: Inputs) -> list[str]:
    """All recordings, in the order given; those of a folder by their names.

    A folder that cannot be read stands for its recordings: to open it fails, as to open
    a file that cannot be read.

    Raises:
        SourceError: if the list cannot be read, or there is not one recording.
    """
    names = [*inputs.files, *_listed(inputs.files_from)]
    found = [name for given in names for name in _within(given, inputs.recursive)]
    if not found:
        raise SourceError(
            f"there are no recordings in {', '.join(names) or 'the list'}; in folders "
            f"those count that end in {', '.join(sorted(SUFFIXES))}"
            + ("" if inputs.recursive else "; --recursive looks into folders within")
        )
    return found


def size_of(name: str) -> int:
    """Bytes of a recording; 0 where nobody can tell."""
    try:
        return Path(name).stat().st_size
    except (OSError, ValueError):
        return 0


def _within(name: str, recursive: bool) -> Iterator[str]:
    if name == STDIN or not is_folder(Path(name)):
        yield name
        return
    unread: list[str] = []
    for folder, folders, files in os.walk(
        name, onerror=lambda error: unread.append(error.filename)
    ):
        folders.sort()
        for file in sorted(files):
            if Path(file).suffix.lower() in SUFFIXES and not file.startswith("."):
                yield str(Path(folder) / file)
        if not recursive:
            break
    yield from unread


def _listed(name: str | None) -> list[str]:
    if name is None:
        return []
    try:
        from_stdin = name == STDIN
        content = sys.stdin.buffer.read() if from_stdin else Path(name).read_bytes()
    except (OSError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or "it is closed"
        raise SourceError(f"the list {name} cannot be read: {reason}") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    separator = b"\0" if b"\0" in content else b"\n"
    lines = (line.rstrip(b"\r") for line in content.split(separator))
    return [os.fsdecode(line) for line in lines if line.strip()]
