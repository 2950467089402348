"""`ser-stream plot`: a recording as a picture or a page."""

from pathlib import Path
from typing import Annotated

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import Config, Model
from ser_stream.errors import ConfigError

EPILOG = (
    "Exit status: 0 done, 2 usage, configuration or unreadable input, 4 model, 5 the "
    "output cannot be written, 69 matplotlib is missing, 130 stopped by Ctrl-C before "
    "anything was written."
)


@app.command(epilog=EPILOG)
def plot(
    file: Annotated[
        Path, typer.Argument(help="An audio file.", metavar="FILE", readable=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Where to; it ends in .png, .svg, .pdf or .html. What is there is "
            "replaced.",
            metavar="PATH",
            readable=False,
        ),
    ],
    start: Annotated[
        str,
        typer.Option(
            "--from",
            help="Where the picture begins: seconds, or m:ss.",
            metavar="TIME",
        ),
    ] = "0",
    end: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="Where it ends. [default: the end of the file]",
            metavar="TIME",
        ),
    ] = None,
    dpi: Annotated[
        int,
        typer.Option(help="Of .png and .html: pixels an inch, of 12.", min=50, max=600),
    ] = 150,
    model: Model = None,
    config: Config = None,
) -> None:
    """Draw a recording: what was heard in it, and when.

    From top to bottom: the emotions as `recognize --segments` prints them, with their
    confidence; the waveform; the scores of each step, which sum to 1; and what each
    step says by itself, hatched where it is uncertain. Where nobody speaks it is grey.

    An .html file is a page of its own, with a table of the emotions; it loads nothing
    from anywhere. What is before --from is heard too, so that the picture tells of a
    stretch what it tells of it in the whole. Needs matplotlib: pip install
    "ser-stream[plot]".

    Examples:

      ser-stream plot talk.wav -o talk.png

      ser-stream plot talk.wav -o talk.html --model accurate

      ser-stream plot talk.wav -o part.svg --from 1:30 --to 2:00
    """
    from ser_stream.commands.plot import plot as command
    from ser_stream.config import build_config

    start_s = _seconds("--from", start)
    end_s = None if end is None else _seconds("--to", end)
    command(file, out, build_config(config, {"model": model}), start_s, end_s, dpi)


def _seconds(flag: str, text: str) -> float:
    from ser_stream.commands.plot.clock import parse_clock

    try:
        return parse_clock(text)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}") from None
