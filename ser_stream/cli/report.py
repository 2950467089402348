"""`ser-stream report`."""

from pathlib import Path
from typing import Annotated

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import Json, TokenFile

EPILOG = (
    "Exit status: 0 done; 2 usage, or there are no such events; 5 the page cannot be "
    "written, or the address or the token does not open."
)


@app.command(epilog=EPILOG)
def report(
    events: Annotated[
        str,
        typer.Argument(
            help="A file of JSON lines as `subscribe` writes them, gzipped or not; - "
            "for standard input; or the address of a daemon, which holds an hour.",
            metavar="EVENTS|URI",
        ),
    ],
    since: Annotated[
        str | None,
        typer.Option(
            help="Only what is later: so long ago, as 8h or 2d, or an ISO time. "
            "[default: all]",
            metavar="TIME",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Only what is earlier, likewise.", metavar="TIME"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Of a daemon that hears several: the one to tell of.", metavar="NAME"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write a page, .html. What is there is replaced. [default: text on "
            "standard output]",
            metavar="PATH",
            readable=False,
        ),
    ] = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Tell of a day of events: time in each emotion, by hour, certain moments, losses.

    The events may come from several daemons, one after the other, and may be torn. The
    page loads nothing from anywhere and can be sent; it says what its numbers do not
    mean. Times are those of this machine's zone.

    Examples:

      ser-stream subscribe > events.jsonl

      ser-stream report events.jsonl --since 8h -o day.html

      ser-stream report unix:///run/user/1000/ser-stream/ser-stream.sock

      zcat $(ls -v *.gz) | ser-stream report - --json | jq .emotions
    """
    from ser_stream.commands.report import report as command

    command(
        events,
        since=since,
        until=until,
        out=out,
        json=as_json,
        token_file=token_file,
        source=source,
    )
