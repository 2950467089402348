"""Changes single values of a configuration file, and nothing else in it.

The standard library reads TOML and does not write it. What is written here is one line
for one value: comments, order and everything else stay as they are. Whether a change
did what it should is then read back with the standard library before the file is
touched, so a spelling that these few lines do not know is refused, never damaged.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser_stream.atomic_file import replace_file
from ser_stream.config.toml_file import parse, read_text
from ser_stream.errors import ConfigError

Value = str | float


def set_values(path: Path, changes: Mapping[str, Value | Mapping[str, Value]]) -> None:
    """Set values of a TOML file, atomically; a file that is not there is begun.

    Args:
        path: of the file; where it is a link, what it points to is changed.
        changes: values by their keys, or tables of values by their names. Keys that are
            not mentioned stay, those of the same table too.

    Raises:
        ConfigError: if it cannot be read or written, or is spelt in a way that would
            need a person; the message has the lines to put in by hand.
    """
    old = read_text(path) if os.path.lexists(path) else ""
    new = edited(old, changes)
    wanted = _merged(parse(path, old), changes)
    try:
        right = tomllib.loads(new) == wanted
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        by_hand = snippet(changes).strip().replace("\n", "; ")
        raise ConfigError(
            f"{path} is spelt in a way that cannot be changed safely; nothing was "
            f"written; put in by hand: {by_hand}"
        )
    _replace(path, new)


def snippet(changes: Mapping[str, Value | Mapping[str, Value]]) -> str:
    """The changes as a TOML file of their own."""
    return edited("", changes)


def edited(text: str, changes: Mapping[str, Value | Mapping[str, Value]]) -> str:
    """TOML text with values changed or added; see `set_values`, which checks it."""
    # Not `splitlines`, which also splits where TOML does not.
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    for name, value in changes.items():
        if isinstance(value, Mapping):
            start = _header(lines, name)
            if start is None:
                lines += [newline] if lines else []
                lines.append(f"[{name}]{newline}")
                start = len(lines)
            for key, item in value.items():
                _set(lines, start, key, item, newline)
        else:
            _set(lines, 0, name, value, newline)
    return "".join(lines)


_ANY_HEADER = re.compile(r"\s*\[")
_SPACE_OR_COMMENT = re.compile(r"\s*(#.*)?$")


def _header(lines: list[str], name: str) -> int | None:
    """Index of the line after a table's header."""
    header = re.compile(rf"""\s*\[\s*(["']?){re.escape(name)}\1\s*\]\s*(#.*)?$""")
    return next((i + 1 for i, line in enumerate(lines) if header.match(line)), None)


def _set(lines: list[str], start: int, key: str, value: Value, newline: str) -> None:
    """Set a key of the table whose lines begin at `start`."""
    end = next(
        (i for i in range(start, len(lines)) if _ANY_HEADER.match(lines[i])), len(lines)
    )
    spelt = re.compile(
        rf"""(\s*(["']?){re.escape(key)}\2\s*=\s*)"""  # key =
        r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#"']+)"""  # a string or a number
        r"""(\s*(?:#.*)?\s*)"""  # what stands behind it, to the end of the line
    )
    for i in range(start, end):
        found = spelt.fullmatch(lines[i])
        if found:
            lines[i] = f"{found[1]}{_spell(value)}{found[4]}"
            return
    # After the last key: what is blank or a comment before the next table belongs to
    # that. A file that only has comments as yet begins with them.
    while end > start and _SPACE_OR_COMMENT.match(lines[end - 1]):
        end -= 1
    if start == end == 0 and lines and not any(_ANY_HEADER.match(x) for x in lines):
        end = len(lines)
    lines.insert(end, f"{key} = {_spell(value)}{newline}")


def _spell(value: Value) -> str:
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + re.sub(r"[\x00-\x1f\x7f]", _escape, quoted) + '"'
    return repr(float(value))


def _escape(found: "re.Match[str]") -> str:
    return f"\\u{ord(found[0]):04x}"


def _merged(
    old: dict[str, Any], changes: Mapping[str, Value | Mapping[str, Value]]
) -> dict[str, Any]:
    new = dict(old)
    for name, value in changes.items():
        there = old.get(name)
        if isinstance(value, Mapping):
            new[name] = {**there, **value} if isinstance(there, dict) else dict(value)
        else:
            new[name] = value
    return new


def _replace(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    except UnicodeEncodeError:
        raise ConfigError(
            f"cannot write {path}: a name to put in is not UTF-8, as TOML must be"
        ) from None
