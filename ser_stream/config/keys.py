"""The settings there are: each has a key in the file, a variable and a flag."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Literal

from ser_stream.errors import ConfigError
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.vad import SpeechGateConfig
from ser_stream.sinks.brokers.settings import BrokerSettings

Value = str | float | bool | tuple[str, ...]
"""What a setting may be; whole numbers are `int`."""

PREFIX = "SER_STREAM_"


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    """As in the file; `gate.enter` is `enter` in the table `[gate]`."""
    kind: type
    """str, int, float, bool or tuple (a list of strings)."""
    attribute: str
    """Where `ListenConfig` has it."""
    live: bool = False
    """Whether `reload` puts a new value to work; else it waits for the next start."""
    switch: str = ""
    """A flag of its own that a key of a table has beside `--set`."""
    many: bool = False
    """Whether a string may be a list of strings as well."""
    serve: Literal["", "start", "live"] = ""
    """When `ser-stream serve` takes a value: at its start alone, or at SIGHUP as well;
    empty for never."""

    @property
    def table(self) -> str:
        """The table of the file it stands in; empty for none."""
        return self.name.rpartition(".")[0]

    @property
    def variable(self) -> str:
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """Its flag; most of those of tables share one."""
        if self.switch:
            return self.switch
        if self.table:
            return f"--set {self.name}"
        return "--" + self.name.removesuffix("_s").replace("_", "-")

    def checked(self, value: object) -> Value:
        """A value as TOML or a flag has it, if it is of the right type.

        Raises:
            ConfigError: if not.
        """
        if self.many and isinstance(value, list | tuple) and value:
            items = tuple(item for item in value if isinstance(item, str))
            if len(items) == len(value):
                return items if len(items) > 1 else items[0]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.kind is float and number:
            return float(value)  # type: ignore[arg-type]
        if self.kind is int and number and isinstance(value, int):
            return value
        if self.kind is str and isinstance(value, str):
            return value
        if self.kind is bool and isinstance(value, bool):
            return value
        if self.kind is tuple and isinstance(value, list | tuple):
            items = tuple(item for item in value if isinstance(item, str))
            if len(items) == len(value):
                return items
        raise self._wrong(value)

    def parsed(self, text: str) -> Value:
        """A value as a variable has it, which is text.

        Raises:
            ConfigError: if it is no such value.
        """
        if self.kind is tuple:
            return tuple(text.replace(",", " ").split())
        if self.many and text.lstrip().startswith("["):
            return self.checked(_list(text) or text)
        if self.kind is str:
            return text
        try:
            if self.kind is bool:
                return _BOOLEANS[text.strip().lower()]
            number: float = self.kind(text)
        except (KeyError, ValueError):
            raise self._wrong(text) from None
        return number

    def _wrong(self, value: object) -> ConfigError:
        kind = _KINDS[self.kind] + (" or a list of strings" if self.many else "")
        return ConfigError(f"{self.name} is {value!r}; it must be {kind}")


_KINDS = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of strings",
}
_BOOLEANS = dict.fromkeys(("true", "yes", "on", "1"), True)
_BOOLEANS |= dict.fromkeys(("false", "no", "off", "0"), False)

_BROKER_KINDS: dict[str, type] = {"keepalive_s": int, "discovery": bool}
_SERVE: tuple[tuple[str, type, str, Literal["start", "live"]], ...] = (
    ("listen", tuple, "--listen", "start"),
    ("to", tuple, "--to", "start"),
    ("max_streams", int, "--max-streams", "live"),
    ("idle_s", float, "--idle-s", "live"),
    ("max_s", float, "--max-s", "live"),
    ("metrics", str, "--metrics", "start"),
)
KEYS = {
    key.name: key
    for key in (
        Key("input", str, "input", many=True),
        Key("pace", str, "source.pace"),
        Key("channel", str, "source.channel"),
        Key("raw", bool, "source.raw"),
        Key("rate", int, "source.rate"),
        Key("channels", int, "source.channels"),
        Key("encoding", str, "source.encoding"),
        Key("wait", bool, "wait"),
        Key("model", str, "model", live=True, serve="start"),
        Key("step", float, "step_s", live=True, serve="start"),
        Key("window", float, "window_s", live=True, serve="start"),
        Key("speakers", bool, "speakers", live=True),
        Key("tell_speakers", bool, "tell_speakers", live=True, serve="start"),
        Key("most_speakers", int, "most_speakers", live=True, serve="start"),
        Key("to", tuple, "to"),
        Key("format", str, "format", serve="start"),
        Key("token_file", str, "token_file", serve="live"),
        Key("allow_origin", tuple, "allow_origin", serve="start"),
        Key("max_subscribers", int, "max_subscribers"),
        Key("trust_network", bool, "trust_network", serve="start"),
        Key("on_emotion", str, "on_emotion", live=True),
        Key("on_emotion_every_s", float, "on_emotion_every_s", live=True),
        Key("metrics", str, "metrics"),
        Key("log_format", str, "log_format", serve="start"),
        Key("log_level", str, "log_level", serve="start"),
        *(
            Key(f"gate.{f.name}", float, f"gate.{f.name}", live=True, serve="start")
            for f in fields(SpeechGateConfig)
        ),
        *(
            Key(f"smoothing.{f.name}", float, "smoothing", live=True, serve="start")
            for f in fields(SmoothingConfig)
        ),
        Key("adapt.enabled", bool, "adapt.enabled", switch="--adapt"),
        Key("adapt.pack", str, "adapt.pack"),
        Key("adapt.state", str, "adapt.state"),
        Key("adapt.scope", str, "adapt.scope"),
        Key("adapt.every_s", float, "adapt.every_s"),
        Key("adapt.keep_speech", bool, "adapt.keep_speech"),
        *(
            Key(
                f"broker.{f.name}",
                _BROKER_KINDS.get(f.name, str),
                f"broker.{f.name}",
                # Whoever sends comes and goes: no device of a house.
                serve="" if f.name.startswith("discovery") else "start",
            )
            for f in fields(BrokerSettings)
        ),
        *(
            Key(f"serve.{name}", kind, f"serve.{name}", switch=switch, serve=taken)
            for name, kind, switch, taken in _SERVE
        ),
    )
}
"""All settings by name, in the order in which they are listed."""

TABLES = tuple(dict.fromkeys(key.table for key in KEYS.values() if key.table))


GONE = ("evidence_per_s", "change_per_s", "change_per_s_silent", "dwell_s")
"""Settings of the smoothing that files of earlier versions may hold."""


def _list(text: str) -> list[object] | None:
    """A list as TOML has it; None if the text is none, as the name of a file may be."""
    try:
        found = tomllib.loads(f"list = {text}")["list"]
    except tomllib.TOMLDecodeError:
        return None
    return found if isinstance(found, list) else None


def nearest(name: str, allowed: Sequence[str]) -> str:
    """What may be said of a name that is not known, to follow the complaint."""
    if name.lower().endswith(GONE):
        return "; it is gone: delete it, and let `ser-stream tune` choose again"
    near = get_close_matches(name, allowed, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; allowed: {', '.join(allowed)}"


def parse_assignment(text: str) -> tuple[str, Value]:
    """`gate.max_pause_s=1.0`, as `--set` takes it -> the name and the value.

    Raises:
        ConfigError: if there is no such key in a table, or the value is none for it.
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    key = KEYS.get(name)
    if not equals:
        raise ConfigError(f"--set {text}: allowed: TABLE.KEY=VALUE")
    if key is None:
        allowed = [name for name, key in KEYS.items() if key.table]
        raise ConfigError(f"--set {text}: unknown key {name!r}{nearest(name, allowed)}")
    if not key.table:
        raise ConfigError(f"--set {text}: {name} has a flag of its own, {key.flag}")
    try:
        return name, key.parsed(value)
    except ConfigError as error:
        raise ConfigError(f"--set {text}: {error}") from None
