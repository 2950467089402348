"""The flags of a command that runs for long -> its settings, and its log set up."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ser_stream.config import Settings
    from ser_stream.config.keys import Key


def settings_of(
    context: typer.Context,
    config: Path | None,
    set: Sequence[str] | None,
    mine: Callable[["Key"], bool],
) -> "Settings":
    """What holds, by file, environment and flags; the log is as it says from here on.

    Args:
        context: of the command, whose parameters are named as the flags of keys.
        config: the file, if one was named.
        set: TABLE.KEY=VALUE, by the user.
        mine: whether a key is one of this command, if its flag is there.

    Raises:
        ConfigError: if a value is not allowed.
    """
    from ser_stream import log
    from ser_stream.config import KEYS, parse_assignment, resolve

    given = {f"--{name.replace('_', '-')}": v for name, v in context.params.items()}
    flags = {
        key.name: value
        for key in KEYS.values()
        if mine(key) and (value := given.get(key.flag)) != ()
    }
    # -v stands before the command, where there is no configuration yet.
    if context.parent is not None and context.parent.params["verbose"]:
        flags["log_level"] = given["--log-level"] or "debug"
    flags |= dict(parse_assignment(text) for text in set or ())
    settings = resolve(config, flags)
    log.setup(settings.config.log_level, settings.config.log_format)
    return settings
