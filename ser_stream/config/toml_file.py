"""The configuration file: where it is, what is in it, and what is wrong with it."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from ser_stream.config.keys import KEYS, TABLES, Value, nearest
from ser_stream.config.toml_lines import places
from ser_stream.errors import ConfigError
from ser_stream.paths import user_path

SYSTEM_FILE = Path("/etc/ser-stream/config.toml")
"""Read where the user has no file of their own."""


def default_path() -> Path:
    """The user's own file: read, and written to, when none is named."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return user_path(home) / "ser-stream" / "config.toml"


def chosen_path(named: Path | None = None) -> Path | None:
    """The file to read: the one that is named, else the user's, else the system's."""
    if named is not None:
        return named
    # A link to nowhere is no absent file: reading it is an error.
    found = (path for path in (default_path(), SYSTEM_FILE) if os.path.lexists(path))
    return next(found, None)


def read_text(path: Path) -> str:
    """The text of a file, its ends of lines as they are.

    Raises:
        ConfigError: if it cannot be read, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    try:
        # Some editors begin a file with a mark of its encoding.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: not valid TOML: byte 0x{data[error.start]:02x} is not "
            "UTF-8; save the file as UTF-8"
        ) from None


def parse(path: Path, text: str) -> dict[str, Any]:
    """The values of a file.

    Raises:
        ConfigError: if it is not TOML, with the line.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: not valid TOML: nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        said = str(error)
    at = re.search(r" \(at line (\d+), column \d+\)", said)
    line = int(at[1]) if at else len(text.splitlines())
    before: dict[tuple[str, ...], int] = {}
    for name, number in places(text):
        if number == line and name in before:
            raise ConfigError(
                f"{path}:{line}: {'.'.join(name)} is set twice; it stands on line "
                f"{before[name]} too"
            )
        before[name] = number
    reason = said.replace(at[0], "") if at else said
    raise ConfigError(f"{path}:{line}: not valid TOML: {reason}")


def read_settings(path: Path) -> dict[str, tuple[Value, str]]:
    """Read and check a configuration file.

    Returns:
        By the names of the settings: their values, and where they stand, `PATH:LINE`.

    Raises:
        ConfigError: if it cannot be read, or a key or a value's type is wrong.
    """
    text = read_text(path)
    values = parse(path, text)
    found: dict[str, tuple[Value, str]] = {}
    lines: dict[tuple[str, ...], int] = {}
    for place, line in places(text):
        lines.setdefault(place, line)

    def where(*name: str) -> str:
        # What an inline table holds has no line of its own.
        line = lines.get(name) or lines.get(name[:1])
        return f"{path}:{line}" if line else str(path)

    for name, value in values.items():
        if name not in TABLES:
            found |= _setting(name, "", value, where(name))
            continue
        if not isinstance(value, dict):
            raise ConfigError(f"{where(name)}: {name} must be a table, [{name}]")
        for item, entry in value.items():
            found |= _setting(item, name, entry, where(name, item))
    return found


def _setting(
    item: str, table: str, value: object, origin: str
) -> dict[str, tuple[Value, str]]:
    name = f"{table}.{item}" if table else item
    key = KEYS.get(name)
    if key is None or key.table != table:
        raise ConfigError(f"{origin}: {_unknown(item, table)}")
    try:
        return {name: (key.checked(value), origin)}
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None


def _unknown(item: str, table: str) -> str:
    """What is said of a key that is not known; `did you mean` where one is near."""
    here = [k.name.rpartition(".")[2] for k in KEYS.values() if k.table == table]
    said = f"unknown key {item!r}" + (f" in [{table}]" if table else "")
    if table and item in KEYS:
        return f"{said}; it belongs above the first table"
    homes = [key.table for key in KEYS.values() if key.name == f"{key.table}.{item}"]
    if homes and not table:
        return f"{said}; it belongs in [{'] or ['.join(homes)}]"
    return said + nearest(item, here if table else [*here, *TABLES])
