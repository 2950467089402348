"""`ser-stream recognize` and `tune`: what is done with files."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import EPILOG, Config, Json, Model, Step, Window


@app.command(epilog=EPILOG)
def recognize(
    files: Annotated[
        list[Path],
        typer.Argument(help="Audio files.", metavar="FILE...", readable=False),
    ],
    format: Annotated[
        Literal["json", "csv", "text"], typer.Option(help="json: one object a line.")
    ] = "json",
    segments: Annotated[
        bool, typer.Option("--segments", help="Also the emotions in time.")
    ] = False,
    model: Model = None,
    step: Step = None,
    window: Window = None,
    config: Config = None,
) -> None:
    """Recognize the emotion of whole files: one line a file, through the same pipeline.

    `scores` is the mean of the calibrated scores over the steps with speech; a
    step weighs the square of its window's length, as a short one is a guess. A file
    that cannot be read is reported on standard error and skipped; the exit status is
    then 1.

    Example: ser-stream recognize *.wav --format csv > emotions.csv
    """
    from ser_stream.commands.recognize import recognize as command
    from ser_stream.config import build_config

    flags = {"model": model, "step": step, "window": window}
    if command(files, build_config(config, flags), format, segments):
        raise typer.Exit(1)


@app.command(epilog=EPILOG)
def tune(
    files: Annotated[
        list[Path],
        typer.Argument(help="Your recordings.", metavar="FILE...", readable=False),
    ],
    labels: Annotated[
        Path,
        typer.Option(
            help="CSV with a header: file,label for whole files, or "
            "file,start_s,end_s,label for stretches of them.",
            metavar="CSV",
            readable=False,
        ),
    ],
    write: Annotated[
        bool,
        typer.Option("--write", help="Put [smoothing] into the configuration file."),
    ] = False,
    min_coverage: Annotated[
        float,
        typer.Option(
            help="Share of labelled speech that must have an emotion, 0 to 1."
        ),
    ] = 0.7,
    max_flips: Annotated[
        float,
        typer.Option(
            help="How often a minute the emotion may change where the label does not."
        ),
    ] = 2.0,
    model: Model = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Choose thresholds and smoothing by recordings that you have labelled.

    Runs the model on each recording once, then tries some eight thousand settings.
    Of those that cover enough speech without flickering, the ones that tell the right
    emotion for the largest share of each label's time are printed beside the present
    ones, as lines for the configuration file; with --write they are put into it, and
    nothing else in it is changed.

    Label what you want recognised: some thirty stretches of 3 s or more, all emotions
    that matter, in your room, with your microphone. What is not labelled does not
    count. A label that the model does not know is left out and counted. Files are named
    in the CSV by name or path:

      file,start_s,end_s,label

      monday.wav,0.5,4.2,angry

      monday.wav,5.0,9.1,neutral

    Examples:
      ser-stream tune *.wav --labels labels.csv

      ser-stream tune *.wav --labels labels.csv --max-flips 1 --write
    """
    from ser_stream.commands.tune import tune as command
    from ser_stream.config import build_config, default_path
    from ser_stream.tuning.search import Rule

    if command(
        files,
        labels,
        build_config(config, {"model": model}, begin=write),
        Rule(min_coverage, max_flips),
        write_to=(config or default_path()) if write else None,
        as_json=as_json,
    ):
        raise typer.Exit(1)
