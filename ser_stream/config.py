"""All settings of `listen`: built-in values, then a TOML file, then flags."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from ser_stream.bundle import DEFAULT_MODEL
from ser_stream.errors import ConfigError
from ser_stream.gate import GateConfig
from ser_stream.paths import is_file, user_path
from ser_stream.smoothing import SmoothingConfig
from ser_stream.sources import InputConfig

Format = Literal["auto", "json", "text"]


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """What `ser-stream listen` was asked to do."""

    source: InputConfig = field(default_factory=InputConfig)
    model: str = DEFAULT_MODEL
    format: Format = "auto"
    step_s: float = 0.2
    window_s: float = 2.9125
    gate: GateConfig = field(default_factory=GateConfig)
    smoothing: Mapping[str, float] | None = None
    """Only what differs from the thresholds in the bundle."""

    def __post_init__(self) -> None:
        if self.format not in ("auto", "json", "text"):
            raise ConfigError(f"format is {self.format!r}; allowed: auto, json, text")


KEYS = {
    "input": str,
    "pace": str,
    "rate": int,
    "channels": int,
    "model": str,
    "format": str,
    "step": float,
    "window": float,
}
"""Top-level keys of the file; each has a flag of the same name."""
TABLES = {
    "gate": [f.name for f in fields(GateConfig)],
    "smoothing": [f.name for f in fields(SmoothingConfig)],
}
"""Tables of the file and their keys."""


def default_path() -> Path:
    """Where the file is looked for when none is named."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return user_path(home) / "ser-stream" / "config.toml"


def read_file(path: Path) -> dict[str, Any]:
    """Read and check a configuration file.

    Raises:
        ConfigError: if it cannot be read, or a key or a value's type is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    for key, value in values.items():
        if key in TABLES:
            if not isinstance(value, dict):
                raise ConfigError(f"{path}: {key} must be a table, [{key}]")
            for name, number in value.items():
                _check_key(path, name, TABLES[key], f" in [{key}]")
                _check_type(path, f"{key}.{name}", number, float)
        else:
            _check_key(path, key, [*KEYS, *TABLES], "")
            _check_type(path, key, value, KEYS[key])
    return values


def _check_key(path: Path, key: str, allowed: list[str], where: str) -> None:
    if key in allowed:
        return
    near = get_close_matches(key, allowed, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(allowed)}"
    raise ConfigError(f"{path}: unknown key {key!r}{where}{hint}")


def _check_type(path: Path, key: str, value: object, kind: type) -> None:
    allowed: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if isinstance(value, bool) or not isinstance(value, allowed):
        name = {str: "a string", int: "a whole number", float: "a number"}[kind]
        raise ConfigError(f"{path}: {key} is {value!r}; it must be {name}")


def build_config(
    file: Path | None, flags: Mapping[str, Any], *, begin: bool = False
) -> ListenConfig:
    """Put together built-in values, the file and the flags that were given.

    Args:
        file: named by the user, or None to look in the default place.
        flags: by the keys of the file; None means not given.
        begin: whether the file may be absent, since it is about to be written.

    Raises:
        ConfigError: if anything is wrong, with the value and what is allowed.
    """
    values: dict[str, Any] = {}
    if file is not None:
        # A link to nowhere is no absent file: it is an error.
        absent = begin and not os.path.lexists(file)
        values = {} if absent else read_file(file)
    elif is_file(default_path()):
        values = read_file(default_path())
    values |= {key: value for key, value in flags.items() if value is not None}
    source = {
        k: values[k] for k in ("input", "pace", "rate", "channels") if k in values
    }
    config = ListenConfig(
        source=InputConfig(**source),
        gate=replace(GateConfig(), **values.get("gate", {})),
        smoothing=values.get("smoothing"),
    )
    simple = {
        "model": "model",
        "format": "format",
        "step": "step_s",
        "window": "window_s",
    }
    given = {name: values[key] for key, name in simple.items() if key in values}
    return replace(config, **given)
