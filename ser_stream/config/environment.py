"""Settings from the environment: `SER_STREAM_STEP`, `SER_STREAM_GATE_MAX_PAUSE_S`."""

import logging
from collections.abc import Mapping

from ser_stream.config.keys import KEYS, PREFIX, Value, nearest
from ser_stream.errors import ConfigError

_LOGGER = logging.getLogger(__name__)
OTHERS = {
    "SER_STREAM_TOKEN",
    "SER_STREAM_SOURCE",
    "SER_STREAM_REQUIRE_MICROPHONE",
}
"""Variables of ours that are no settings."""
_NAMES = {key.variable: name for name, key in KEYS.items()}


def from_environment(environment: Mapping[str, str]) -> dict[str, tuple[Value, str]]:
    """Settings by their names, each with its variable. An empty variable sets nothing.

    One that is not known is a warning and no error: environments are inherited, and
    what another version knows must not stop this one.

    Raises:
        ConfigError: if a value is of the wrong type.
    """
    found: dict[str, tuple[Value, str]] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable in OTHERS or not text.strip():
            continue
        name = _NAMES.get(variable)
        if name is None:
            # All names would be a long line: the nearest of them, or none.
            hint = nearest(variable, list(_NAMES)).partition("; allowed")[0]
            _LOGGER.warning("%s is no setting; it is ignored%s", variable, hint)
            continue
        try:
            found[name] = KEYS[name].parsed(text), variable
        except ConfigError as error:
            raise ConfigError(f"{variable}: {error}") from None
    return found
