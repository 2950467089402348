"""Results in files: one JSON for each, whole or absent, never of two protocols."""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError, SourceError
from training.engine.git_revision import git_revision

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResultStore:
    """The folder in which one command keeps its results."""

    folder: Path
    locks: Path
    """Folder of what processes hold while they compute."""
    command: str
    """Of `python -m training`, that writes them."""
    key: str = "config"
    """Of the part of a result that says what decided it."""
    option: str = "--results"
    """By which the user names another folder."""
    schema: int | None = None
    """What every result has under `schema`; None: nothing."""

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def lock_folder(self, name: str) -> Path:
        """What a process holds while it computes a result; never deleted."""
        text = f"{self.folder.resolve()}/{name}.json"
        return self.locks / hashlib.sha256(text.encode()).hexdigest()[:16]

    def write(self, name: str, config: Result, result: Result) -> None:
        """Write a result, with what decided it and the revision of the code."""
        schema = {} if self.schema is None else {"schema": self.schema}
        content = {**schema, self.key: config, "revision": git_revision(), **result}
        # A key a line, so that a change is readable in a diff.
        lines = [
            f" {json.dumps(k)}: {json.dumps(v, allow_nan=False)}"
            for k, v in content.items()
        ]
        replace_file(self.path(name), "{\n" + ",\n".join(lines) + "\n}\n")

    def read(self, path: Path) -> Result:
        """Read one result.

        Raises:
            SourceError: if the file is none.
        """
        try:
            content: Result = json.loads(path.read_text(encoding="utf-8"))
            content[self.key].keys()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(
                f"{path} is no result of `{self.command}`; delete it or move it "
                f"({error!r})"
            ) from None
        if content.get("schema") != self.schema:
            raise SourceError(
                f"{path} has schema {content.get('schema')}; this version reads "
                f"{self.schema}"
            )
        return content

    def read_all(self, folder: str) -> list[Result]:
        """All results of a folder below, in the order of their names."""
        return [self.read(p) for p in sorted((self.folder / folder).glob("*.json"))]

    def check(
        self, path: Path, config: Result, today: Callable[[Result], Result]
    ) -> Result:
        """Read a result where ours would go, and refuse one of another configuration.

        Args:
            path: of the result.
            config: what decides ours.
            today: a stored configuration -> the same as this version writes it.

        Raises:
            ConfigError: naming the settings that differ.
            SourceError: if the file is no result.
        """
        content = self.read(path)
        # As JSON has it: tuples are lists there.
        now, there = (
            _flat(json.loads(json.dumps(values)))
            for values in (config, today(content[self.key]))
        )
        other = sorted(
            k for k in now.keys() | there.keys() if now.get(k) != there.get(k)
        )
        if other:
            shown = ", ".join(
                f"{k}: {there.get(k)!s:.60} there, {now.get(k)!s:.60} now"
                for k in other[:3]
            )
            raise ConfigError(
                f"{path} was made with another configuration ({shown}); delete it, or "
                f"give another {self.option}"
            )
        return content


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder for this process; freed by the system when the process dies.

    Yields:
        Whether it is held; False only if `wait` is false and another has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def write_json(path: Path, content: Result) -> None:
    """Write what is made of results, atomically."""
    replace_file(path, json.dumps(content, indent=1) + "\n")


def _flat(values: Result, prefix: str = "") -> Result:
    flat: Result = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
