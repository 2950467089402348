"""`ser-stream listen`."""

from enum import StrEnum
from typing import Annotated

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import EPILOG, Config, Model, Step, Window


class Pace(StrEnum):
    """How fast a recording is heard."""

    realtime = "realtime"
    fast = "fast"


class ListenFormat(StrEnum):
    """What `listen` prints."""

    auto = "auto"
    json = "json"
    text = "text"


@app.command(epilog=EPILOG)
def listen(
    input: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            help="mic, mic:NAME, an audio file, or - for standard input (WAV or raw "
            "s16le). [default: mic]",
            metavar="SRC",
        ),
    ] = None,
    pace: Annotated[
        Pace | None,
        typer.Option(help="Of files and pipes. [default: realtime; fast for -]"),
    ] = None,
    format: Annotated[
        ListenFormat | None,
        typer.Option(help="auto: text on a terminal, else JSON lines. [default: auto]"),
    ] = None,
    model: Model = None,
    step: Step = None,
    window: Window = None,
    rate: Annotated[
        int | None, typer.Option(help="Hz of raw samples on -. [default: 16000]")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Channels of raw samples on -. [default: 1]")
    ] = None,
    config: Config = None,
) -> None:
    """Tell live which emotion a voice carries, how sure that is, and when it changes.

    Without arguments it hears the default microphone. Standard output gets one JSON
    object a line (see docs/protocol.md), or text on a terminal; standard error gets
    the log. Ctrl-C ends it in order.

    Examples:
      ser-stream listen

      ser-stream listen --input mic:USB | jq -r 'select(.type=="emotion") | .label'

      ser-stream listen --input talk.flac --pace fast

      arecord -f S16_LE -r 16000 | ser-stream listen --input -
    """
    from ser_stream.commands.listen import listen as command
    from ser_stream.config import build_config

    flags = {
        "input": input,
        "pace": pace.value if pace else None,
        "format": format.value if format else None,
        "model": model,
        "step": step,
        "window": window,
        "rate": rate,
        "channels": channels,
    }
    command(build_config(config, flags))
