"""Results that are written once: one JSON file for each cell, with its protocol."""

import json
from pathlib import Path
from typing import Any

from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError
from training.engine.git_revision import git_revision

Result = dict[str, Any]


def finished(path: Path, protocol: Result) -> bool:
    """Whether a result is there.

    Raises:
        ConfigError: if it is one of another protocol, or none at all.
    """
    if not path.exists():
        return False
    before = read(path)["protocol"]
    # As JSON has it: tuples are lists there.
    now = json.loads(json.dumps(protocol))
    other = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
    if other:
        raise ConfigError(
            f"{path} is of another protocol, which differs in {', '.join(other)}; "
            "give another --results, or delete it"
        )
    return True


def keep(path: Path, protocol: Result, result: Result) -> None:
    """Write a finished cell, whole or not at all, with the revision of the code."""
    content = {"protocol": protocol, "revision": git_revision(), **result}
    replace_file(path, json.dumps(content, indent=1) + "\n")


def read(path: Path) -> Result:
    """A finished cell.

    Raises:
        ConfigError: if the file is none.
    """
    try:
        result: Result = json.loads(path.read_text(encoding="utf-8"))
        result["protocol"].keys()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{path} is no result of `adapt-eval`; delete it") from None
    return result


def read_all(folder: Path) -> list[Result]:
    """All finished cells of a folder, in the order of their names."""
    return [read(path) for path in sorted(folder.glob("*.json"))]
