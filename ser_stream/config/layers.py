"""Settings from all sides, and where each came from.

What is built in < the thresholds in the model < the file < the environment < flags.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from ser_stream.adaptation.settings import AdaptConfig
from ser_stream.config.environment import from_environment
from ser_stream.config.keys import KEYS, TABLES, Value
from ser_stream.config.listen import ListenConfig
from ser_stream.config.serve import ServeConfig
from ser_stream.config.toml_file import chosen_path, read_settings
from ser_stream.errors import ConfigError
from ser_stream.pipeline.vad import SpeechGateConfig
from ser_stream.sinks.brokers.settings import BrokerSettings
from ser_stream.sources import InputConfig
from ser_stream.sources.named import named_inputs

T = TypeVar("T")
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a setting is, and where it comes from."""

    value: Value | None
    """None where nothing is set and nothing built in: the model or the input says."""
    origin: str
    """`default`, `model NAME`, `PATH:LINE`, `SER_STREAM_STEP` or `--step`."""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that a reload found changed."""

    name: str
    old: Setting
    new: Setting
    live: bool
    """Whether it works at once; else the next start brings it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked, with their origins."""

    config: ListenConfig
    given: Mapping[str, Setting]
    """What the file, the environment and flags say, by name."""
    file: Path | None
    named: Path | None
    flags: Mapping[str, Value | None]

    def __getitem__(self, name: str) -> Setting:
        key = KEYS[name]
        if key.attribute == "smoothing":
            value = (self.config.smoothing or {}).get(name.rpartition(".")[2])
            unset_origin = f"model {self.config.model}"
        else:
            value = attrgetter(key.attribute)(self.config)
            unset_origin = DEFAULT
        given = self.given.get(name)
        return Setting(value, given.origin if given else unset_origin)

    def reload(self) -> "Settings":
        """The settings as they are now: the same flags, but file and environment anew.

        Raises:
            ConfigError: if anything is wrong; these settings still stand.
        """
        return resolve(self.named, self.flags)

    def changes(self, new: "Settings") -> list[Change]:
        return [
            Change(name, self[name], new[name], key.live)
            for name, key in KEYS.items()
            if self[name].value != new[name].value
        ]

    def located(self, build: Callable[[ListenConfig], T]) -> T:
        """Make something of the settings; if that fails, say which one is to blame.

        Args:
            build: must do nothing else: to find out, it is tried with fewer settings.

        Raises:
            ConfigError: what `build` raised, with the file and line, the variable or
                the flag in front.
        """
        return _located(self.given, build)


def resolve(
    file: Path | None,
    flags: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Put together what is built in, the file, the environment and flags.

    Args:
        file: named by the user, or None to look in the usual places.
        flags: by the names of the settings; None means not given.
        environment: variables; None for those of this process.

    Raises:
        ConfigError: if anything is wrong: where, the value, and what is allowed.
    """
    path = chosen_path(file)
    settings = {} if path is None else read_settings(path)
    settings |= from_environment(os.environ if environment is None else environment)
    given = {name: Setting(*setting) for name, setting in settings.items()}
    for name, value in flags.items():
        if value is not None:
            key = KEYS[name]
            flag = key.flag
            if value is False and not flag.startswith("--set"):
                flag = flag.replace("--", "--no-", 1)
            given[name] = Setting(key.checked(value), flag)
    config = _located(given, lambda config: config)
    return Settings(config, given, path, file, flags)


def build_config(
    file: Path | None,
    flags: Mapping[str, Any],
    *,
    begin: bool = False,
    environment: Mapping[str, str] | None = None,
) -> ListenConfig:
    """Settings as `resolve` has them, without their origins.

    To `begin` a file, it may be absent, since it is about to be written.
    """
    # A link to nowhere is no absent file: it is an error.
    if begin and file is not None and not os.path.lexists(file):
        file = Path(os.devnull)
    return resolve(file, flags, environment=environment).config


def _located(given: Mapping[str, Setting], build: Callable[[ListenConfig], T]) -> T:
    values = {name: setting.value for name, setting in given.items()}
    try:
        return build(_config(values))
    except ConfigError as error:
        culprit = _culprit(values, build)
        if culprit is None:
            raise
        name, reason = culprit[0], culprit[1] or error
        raise ConfigError(f"{given[name].origin}: {reason}") from None


def _culprit(
    values: Mapping[str, Any], build: Callable[[ListenConfig], Any]
) -> tuple[str, ConfigError | None] | None:
    """The setting without which there is no error, or one that is wrong by itself."""

    def failure(some: Mapping[str, Any]) -> ConfigError | None:
        try:
            build(_config(some))
        except ConfigError as error:
            return error
        return None

    for name in values:
        if failure({k: v for k, v in values.items() if k != name}) is None:
            return name, None
    if failure({}) is not None:
        return None  # Whatever is set: a variable for the token, as an example.
    for name, value in values.items():
        if error := failure({name: value}):
            return name, error
    return None


def _config(values: Mapping[str, Any]) -> ListenConfig:
    """Settings by name -> the checked whole. An empty string is nothing."""
    parts: dict[str, dict[str, Any]] = {"": {}, "source": {}}
    parts |= {table: {} for table in TABLES}
    for name, value in values.items():
        key = KEYS[name]
        table, _, attribute = key.attribute.rpartition(".")
        if key.attribute == "smoothing":
            table, attribute = "smoothing", name.rpartition(".")[2]
        if value != "" or attribute in ("input", "model"):
            parts[table][attribute] = value
    inputs = parts[""].get("input")
    if inputs is not None:
        texts = (inputs,) if isinstance(inputs, str) else inputs
        parts["source"]["input"] = next(iter(named_inputs(texts).values()))
    return ListenConfig(
        source=InputConfig(**parts["source"]),
        gate=SpeechGateConfig(**parts["gate"]),
        smoothing=parts["smoothing"] or None,
        adapt=AdaptConfig(**parts["adapt"]),
        broker=BrokerSettings(**parts["broker"]),
        serve=ServeConfig(**parts["serve"]),
        **parts[""],
    )
