"""The inputs that the settings name, opened."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from ser_stream.errors import ConfigError
from ser_stream.sources import InputConfig, Source, open_each
from ser_stream.sources.named import channel_names


@dataclass(frozen=True, slots=True)
class Opened:
    """An input that is open."""

    name: str
    source: Source
    streams: tuple[str, ...]
    """What its streams are called: one, or one for each channel."""


def open_inputs(inputs: Mapping[str, InputConfig], stack: ExitStack) -> list[Opened]:
    """Open all of them, in the order given, or none.

    Args:
        inputs: how each is read, by its name.
        stack: closes them.

    Raises:
        SerStreamError: if one cannot be opened.
        ConfigError: if two of their streams have one name.
    """
    # What may take long to open comes first: microphones do not wait for anybody.
    in_order = sorted(inputs, key=lambda name: inputs[name].is_microphone)
    found = {name: _open(name, inputs[name], stack) for name in in_order}
    opened = [found[name] for name in inputs]
    names = [name for one in opened for name in one.streams]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two streams are called {name}; give the inputs other names, as "
                "NAME=SRC"
            )
    return opened


def _open(name: str, config: InputConfig, stack: ExitStack) -> Opened:
    source, count = open_each(config)
    stack.enter_context(source)
    if count == 1:
        return Opened(name, source, (name,))
    channels = tuple(f"{name}.{channel}" for channel in channel_names(count))
    return Opened(name, source, channels)
