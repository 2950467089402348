"""`ser-stream recognize` and `tune`: what is done with files."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import (
    EPILOG,
    Channels,
    Config,
    Json,
    Model,
    MostSpeakers,
    Rate,
    Raw,
    RawEncoding,
    Step,
    Window,
)

Format = Literal[
    "json",
    "csv",
    "text",
    "parquet",
    "srt",
    "vtt",
    "audacity",
    "textgrid",
    "rttm",
    "eaf",
]


@app.command(epilog=EPILOG)
def recognize(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Recordings, folders of them, or - for standard input.",
            metavar="[FILE|DIR|-]...",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            help="json: one object a line. srt, vtt, audacity, textgrid, rttm and eaf "
            "hold the emotions in time, for other programs."
        ),
    ] = "json",
    segments: Annotated[
        bool, typer.Option("--segments", help="Also the emotions in time.")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            help="Write there instead: a file, which a run that was stopped goes on "
            "with; for a document a recording, a folder.",
            metavar="FILE|DIR",
        ),
    ] = None,
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="Also folders within folders."),
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option(
            help="Also the recordings that a file names, one a line (or separated by "
            "zeros, as find -print0 does); - for standard input.",
            metavar="LIST|-",
        ),
    ] = None,
    jobs: Annotated[
        str,
        typer.Option(
            "--jobs",
            "-j",
            help="Processes, of one thread each; auto: one a core.",
            metavar="N|auto",
        ),
    ] = "1",
    engine: Annotated[
        Literal["local", "ray", "dask"],
        typer.Option(
            help="Where: processes of this machine, or workers of ray or dask, which "
            "must see the recordings under the same names."
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Of the cluster of ray or dask. [default: one is started here, of "
            "--jobs workers]"
        ),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            help="Which channel is heard: mix, the mean of all; left, right, a number "
            "from 1; or each, a row a channel. [default: mix]",
            metavar="mix|left|right|N|each",
        ),
    ] = None,
    tell_speakers: Annotated[
        bool,
        typer.Option(
            "--tell-speakers",
            help="Say by a number who speaks: in the recording, and with --segments in "
            "each emotion. Voices are biometric data: have the consent of who is "
            "heard.",
        ),
    ] = False,
    most_speakers: MostSpeakers = None,
    raw: Raw = None,
    rate: Rate = None,
    channels: Channels = None,
    encoding: RawEncoding = None,
    model: Model = None,
    step: Step = None,
    window: Window = None,
    config: Config = None,
) -> None:
    """Recognize the emotion of whole recordings: a row each, by the same pipeline.

    `scores` is the mean of the calibrated scores over the steps with speech; a
    step weighs the square of its window's length, as a short one is a guess. A file
    that cannot be read is reported on standard error and skipped; one that is cut short
    or damaged gives its row with `"cut":true` or `"damaged":true`. The exit status is
    then 1. What libsndfile does not know, as m4a and webm, an installed ffmpeg reads.

    A `confidence` in time is that of the emotion's end, when another took over or none
    was left: it is low, also of what was sure before. A --step longer than the model's
    own is for streams: recordings are heard at the model's.

    Examples:

      ser-stream recognize *.wav --format csv > emotions.csv

      ser-stream recognize -r archive --jobs auto --format parquet --out archive.parquet

      find . -name '*.mp3' -print0 | ser-stream recognize --files-from -

      ser-stream recognize call.wav --channel each --segments

      ser-stream recognize meeting.wav --tell-speakers --format rttm

      ser-stream recognize talk.m4a --format textgrid > talk.TextGrid

      curl -sL https://example.org/talk.webm | ser-stream recognize -
    """
    from ser_stream.commands.archive.inputs import Inputs
    from ser_stream.commands.recognize import Run
    from ser_stream.commands.recognize import recognize as command
    from ser_stream.config import build_config

    flags = {"model": model, "step": step, "window": window, "channel": channel}
    flags |= {"most_speakers": most_speakers}
    flags |= {"raw": raw, "rate": rate, "channels": channels, "encoding": encoding}
    if not command(
        Inputs(files or (), recursive, files_from),
        build_config(config, flags),
        Run(
            format,
            segments,
            jobs,
            None if out is None else Path(out),
            engine,
            address,
            tell_speakers,
            # A path has lost the slash that says so.
            to_folder=out is not None and out.endswith(os.sep),
        ),
    ):
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
