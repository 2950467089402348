"""`ser-stream subscribe`."""

from typing import Annotated, Literal

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import TokenFile, Uri

EPILOG = (
    "Exit status: 0 done, also by Ctrl-C or when the reader leaves; 2 usage; 5 the "
    "address or the token does not open; 69 a library is missing."
)


@app.command(epilog=EPILOG)
def subscribe(
    uri: Uri = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these events: prediction, emotion, status, adaptation; with "
            "commas, or given several times. [default: all]",
            metavar="EVENTS",
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Of a daemon that hears several: only these, with commas, or given "
            "several times. [default: all]",
            metavar="NAMES",
        ),
    ] = None,
    format: Annotated[
        Literal["auto", "json", "text"],
        typer.Option(help="auto: text on a terminal, else JSON lines."),
    ] = "auto",
    reconnect: Annotated[
        bool,
        typer.Option(
            "--reconnect/--no-reconnect",
            help="Wait for a daemon that is not there, or not any more.",
        ),
    ] = True,
    token_file: TokenFile = None,
    count: Annotated[
        int | None, typer.Option(help="End after so many events.", min=1)
    ] = None,
    history: Annotated[
        float | None,
        typer.Option(
            help="Begin with the events of so many seconds before, at most 3600.",
            metavar="SECONDS",
        ),
    ] = None,
) -> None:
    """Print what a running daemon says, live.

    First comes hello, then a snapshot of how things stand, then every event; see
    docs/protocol.md. When the daemon ends or the connection is lost, it says so on
    standard error and waits for the next; with --no-reconnect it ends.

    Examples:

      ser-stream subscribe

      ser-stream subscribe --only emotion | jq -r 'select(.phase=="start") | .label'

      ser-stream subscribe tcp://127.0.0.1:8765 --only emotion,status

      ser-stream subscribe ws://kitchen:8766 --token-file ~/.kitchen-token

      ser-stream subscribe --only emotion --count 1 && notify-send "speech"
    """
    from ser_stream.commands.subscribe import subscribe as command

    command(
        uri,
        only=_split(only) if only else None,
        source=_split(source) if source else None,
        format=format,
        reconnect=reconnect,
        token_file=token_file,
        count=count,
        history=history,
    )


def _split(values: list[str]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",")]
