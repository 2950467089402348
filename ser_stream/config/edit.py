"""Changes single values of a configuration file, and nothing else in it.

tomlkit keeps comments, order and everything else as they are. Whether a change did what
it should is then read back with the standard library before the file is touched, so a
spelling that tomlkit does not know is refused, never damaged.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

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
    wanted = _merged(parse(path, old), changes)
    try:
        new = edited(old, changes)
        right = tomllib.loads(new) == wanted
    except (TypeError, TOMLKitError, tomllib.TOMLDecodeError):
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
    """TOML text with values changed or added; see `set_values`, which checks it.

    Raises:
        TOMLKitError: if tomlkit cannot read it.
        TypeError: if what should be a table is none.
    """
    windows = "\n" in text and "\n" not in text.replace("\r\n", "")
    if text and not text.endswith("\n"):
        text += "\n"
    document = tomlkit.parse(text)
    for name, value in changes.items():
        if isinstance(value, Mapping):
            table = document.setdefault(name, tomlkit.table())
            if not isinstance(table, Mapping):
                raise TypeError(f"{name} is no table")
            for key, item in value.items():
                _set(table, key, item)
        else:
            _set(document, name, value)
    text = tomlkit.dumps(document)
    return re.sub(r"\r?\n", "\r\n", text) if windows else text


def _set(table: Any, key: str, value: Value) -> None:
    content = table.value if isinstance(table, Table) else table
    plain = [k for k, v in content.items() if not isinstance(v, Table | AoT)]
    if key in table or not plain or not isinstance(content, Container):
        table[key] = value
    else:
        # What is blank or a comment before the next table belongs to that: a new key
        # comes after the last one, for which tomlkit has no public call.
        content._insert_after(plain[-1], key, value)


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
