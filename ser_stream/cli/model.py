"""`ser-stream model ...`."""

from pathlib import Path
from typing import Annotated

import typer

from ser_stream.cli.app import group
from ser_stream.cli.options import EPILOG, Config, JsonArray, OneModel, default_model

model_app = group("model", "List model bundles, look at them, choose the default.")


@model_app.command("list")
def model_list(
    as_json: JsonArray = False,
    config: Config = None,
) -> None:
    """List the bundles that have a name, and which one is the default.

    They are the packaged ones, and every folder in
    ~/.local/share/ser-stream/models (or $XDG_DATA_HOME): build or copy a bundle there,
    and its folder's name is its name.
    """
    from ser_stream.commands.model import list_models

    list_models(default_model(config), as_json)


@model_app.command("use", epilog=EPILOG)
def model_use(
    model: Annotated[
        str,
        typer.Argument(
            help="Bundle by its name in `model list`, or its folder.",
            metavar="DIR|NAME",
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file to write. [default: ~/.config/ser-stream/config.toml]"
        ),
    ] = None,
) -> None:
    """Make a bundle the default of every command.

    Verifies it whole, then writes one line, model = "...", into the configuration
    file. `ser-stream model use open` goes back to the packaged model.
    """
    from ser_stream.commands.model import use

    use(model, config)


@model_app.command("show")
def model_show(
    model: OneModel = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The whole manifest as JSON.")
    ] = False,
    config: Config = None,
) -> None:
    """Print what a bundle is: labels, licence, training data, quality."""
    from ser_stream.commands.model import show

    show(model or default_model(config), as_json)


@model_app.command("verify")
def model_verify(model: OneModel = None, config: Config = None) -> None:
    """Check every file of a bundle against its hashes, and load its graphs."""
    from ser_stream.commands.model import verify

    verify(model or default_model(config))
