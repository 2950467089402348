"""`ser-stream config ...`."""

from pathlib import Path
from typing import Annotated

import typer

from ser_stream.cli.app import group
from ser_stream.cli.options import Config, JsonArray

config_app = group("config", "Show and check the configuration.")


@config_app.command("show")
def config_show(
    as_json: JsonArray = False,
    config: Config = None,
) -> None:
    """Print each setting, and where it came from.

    What is built in < the thresholds of the model < the configuration file < variables,
    such as SER_STREAM_STEP < flags of `listen`. docs/configuration.md explains each.
    """
    from ser_stream.commands.config import show

    show(config, as_json)


@config_app.command("path")
def config_path() -> None:
    """Print which configuration file is read; if there is none, which one to begin."""
    from ser_stream.commands.config import path

    path()


@config_app.command("check")
def config_check(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="TOML file to check by itself; else what `listen` would use.",
            metavar="[FILE]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Find what is wrong with the configuration: the file, the line and the key.

    Also whether its model, its command and its token file can be used, and what it
    needs to adapt. An address that other machines reach is told where no token is
    found; the service may have one in its environment. Exit status: 0 nothing is wrong,
    2 a setting is, 4 the model is, 69 a library is missing.
    """
    from ser_stream.commands.config import check

    check(file)
