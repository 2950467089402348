"""`ser-stream devices` and `bench`: what this machine has and can do."""

from typing import Annotated

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import Config, Json, JsonArray, Model, default_model


@app.command()
def devices(
    as_json: JsonArray = False,
) -> None:
    """List the microphones that `listen --input mic:NAME` can open."""
    from ser_stream.commands.devices import devices as command

    command(as_json)


@app.command()
def bench(
    as_json: Json = False,
    seconds: Annotated[
        float, typer.Option(help="Seconds of audio to run.", min=5, max=3600)
    ] = 30.0,
    model: Model = None,
    config: Config = None,
) -> None:
    """Measure what a step costs on this machine."""
    from ser_stream.commands.bench import bench as command

    command(model or default_model(config), seconds, as_json)
