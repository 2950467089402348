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
    try:
        replace_file(path, new.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    except UnicodeEncodeError:
        raise ConfigError(
            f"cannot write {path}: a name to put in is not UTF-8, as TOML must be"
        ) from None


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
    plain = {}
    for name, value in changes.items():
        if not isinstance(value, Mapping):
            plain[name] = value
            continue
        table = document.setdefault(name, tomlkit.table())
        if not isinstance(table, Mapping):
            raise TypeError(f"{name} is no table")
        _set(table, value)
    _set(document, plain)
    text = tomlkit.dumps(document)
    return re.sub(r"\r?\n", "\r\n", text) if windows else text


def _set(table: Any, values: Mapping[str, Value]) -> None:
    """Set all values of a table, which must not be changed again after that."""
    new = {key: value for key, value in values.items() if key not in table}
    table.update({key: value for key, value in values.items() if key in table})
    content = table.value if isinstance(table, Table) else table
    body = content.body if isinstance(content, Container) else []
    plain = [key is not None and not isinstance(v, Table | AoT) for key, v in body]
    if True not in plain:
        table.update(new)
        return
    # What is blank or a comment before the next table belongs to that: a new key comes
    # after the last one.
    end = len(plain) - plain[::-1].index(True)
    body[end:end] = [(tomlkit.key(key), tomlkit.item(v)) for key, v in new.items()]


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
