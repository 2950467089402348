"""`ser-stream send`."""

from typing import Annotated, Literal

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import (
    EPILOG,
    Channel,
    Channels,
    Rate,
    Raw,
    RawEncoding,
    TokenFile,
)


@app.command(epilog=EPILOG)
def send(
    source: Annotated[
        str,
        typer.Argument(
            help="mic, mic:NAME, an audio file, or - for standard input.",
            metavar="SRC",
            show_default=False,
        ),
    ],
    uri: Annotated[
        str,
        typer.Argument(
            help="Where `ser-stream serve` listens: ws://HOST:PORT, tcp://HOST:PORT or "
            "unix:///PATH.",
            metavar="URI",
            show_default=False,
        ),
    ],
    pace: Annotated[
        Literal["realtime", "fast"] | None,
        typer.Option(help="Of files and pipes. [default: realtime; fast for -]"),
    ] = None,
    name: Annotated[
        str, typer.Option(help="What the stream is called. [default: none]")
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these events: prediction, emotion, status; with commas, or "
            "given several times. [default: all]",
            metavar="EVENTS",
        ),
    ] = None,
    format: Annotated[
        Literal["auto", "json", "text"],
        typer.Option(help="auto: text on a terminal, else JSON lines."),
    ] = "auto",
    channel: Channel = None,
    raw: Raw = None,
    rate: Rate = None,
    channels: Channels = None,
    encoding: RawEncoding = None,
    token_file: TokenFile = None,
) -> None:
    """Send audio to a `ser-stream serve`, and print what it says of it.

    The recognition runs there; this machine needs little. Mono at 16 kHz is sent.
    Ctrl-C ends the stream in order: what is still said of it is printed, 5 s at most.

    Examples:

      ser-stream send mic ws://127.0.0.1:8770

      ser-stream send talk.flac tcp://kitchen:8771 --pace fast --only emotion
    """
    from ser_stream.commands.send import send as command
    from ser_stream.sources import InputConfig

    config = InputConfig(
        source,
        pace,
        bool(raw),
        rate,
        channels,
        encoding,
        "mix" if channel is None else channel,
    )
    if not command(
        config,
        uri,
        name=name,
        only=[one.strip() for part in only for one in part.split(",")]
        if only
        else None,
        format=format,
        token_file=token_file,
    ):
        raise typer.Exit(1)
