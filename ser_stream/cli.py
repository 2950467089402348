"""The command line: flags and their help. What a command does is in `commands/`."""

import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

# The arrays are small: OpenBLAS's threads would only cost memory and wake-ups. Must be
# set before numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from ser_stream import __version__
from ser_stream.commands.output import write
from ser_stream.errors import QuietEndError, SerStreamError

EPILOG = (
    "Exit status: 0 done (also by Ctrl-C), 1 some of several inputs failed, 2 usage, "
    "configuration or unreadable input, 3 audio device, 4 model, 5 output, 69 a "
    "library is missing."
)

app = typer.Typer(
    name="ser-stream",
    help="Hears how people sound: speech emotion recognition, live and on files.",
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
model_app = typer.Typer(help="List model bundles, look at them, choose the default.")
app.add_typer(model_app, name="model")


class Pace(StrEnum):
    """How fast a recording is heard."""

    realtime = "realtime"
    fast = "fast"


class ListenFormat(StrEnum):
    """What `listen` prints."""

    auto = "auto"
    json = "json"
    text = "text"


class RecognizeFormat(StrEnum):
    """What `recognize` prints."""

    json = "json"
    csv = "csv"
    text = "text"


Model = Annotated[
    str | None,
    typer.Option(
        help="Bundle by its name in `model list`, or its folder. [default: open, or "
        "what `model use` chose]",
        metavar="DIR|NAME",
    ),
]
OneModel = Annotated[
    str | None,
    typer.Argument(
        help="Bundle by its name in `model list`, or its folder; else the default.",
        metavar="[DIR|NAME]",
        show_default=False,
    ),
]
Step = Annotated[
    float | None,
    typer.Option(help="Seconds between predictions: 0.1, 0.2, ... 2. [default: 0.2]"),
]
Window = Annotated[
    float | None,
    typer.Option(help="Longest window in seconds, 0.5 to 2.9. [default: 2.9]"),
]
Config = Annotated[
    Path | None,
    typer.Option(help="TOML file; else ~/.config/ser-stream/config.toml if it exists."),
]


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="More on stderr.")
    ] = False,
) -> None:
    """Hears how people sound: speech emotion recognition, live and on files."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format="ser-stream: %(levelname)s: %(message)s",
    )
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.addLevelName(level, logging.getLevelName(level).lower())
    if version:
        write(f"ser-stream {__version__}\n")
    elif context.invoked_subcommand is None:
        write(context.get_help() + "\n")
        raise typer.Exit(2)


@model_app.callback(invoke_without_command=True)
def model(context: typer.Context) -> None:
    """List model bundles, look at them, choose the default."""
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n")
        raise typer.Exit(2)


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


@app.command(epilog=EPILOG)
def recognize(
    files: Annotated[
        list[Path],
        typer.Argument(help="Audio files.", metavar="FILE...", readable=False),
    ],
    format: Annotated[
        RecognizeFormat, typer.Option(help="json: one object a line.")
    ] = RecognizeFormat.json,
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
    if command(files, build_config(config, flags), format.value, segments):
        raise typer.Exit(1)


@app.command()
def devices(
    as_json: Annotated[
        bool, typer.Option("--json", help="For machines: one JSON array.")
    ] = False,
) -> None:
    """List the microphones that `listen --input mic:NAME` can open."""
    from ser_stream.commands.devices import devices as command

    command(as_json)


@app.command()
def bench(
    as_json: Annotated[
        bool, typer.Option("--json", help="For machines: one JSON object.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(help="Seconds of audio to run.", min=5, max=3600)
    ] = 30.0,
    model: Model = None,
    config: Config = None,
) -> None:
    """Measure what a step costs on this machine."""
    from ser_stream.commands.bench import bench as command

    command(model or _default_model(config), seconds, as_json)


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
    as_json: Annotated[
        bool, typer.Option("--json", help="For machines: one JSON object.")
    ] = False,
) -> None:
    """Choose thresholds, smoothing and dwell by recordings that you have labelled.

    Hears each recording once, then tries some five thousand settings on what it heard.
    Of those that cover enough speech without flickering, the ones that follow a change
    of emotion soonest are printed beside the present ones, as lines for the
    configuration file; with --write they are put into it, and nothing else in it is
    changed.

    Label what you want heard: some thirty stretches of 3 s or more, all emotions that
    matter, in your room, with your microphone. What is not labelled is not judged. A
    label that the model does not know is left out and counted. Files are named in the
    CSV by name or path:

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


@model_app.command("list")
def model_list(
    as_json: Annotated[
        bool, typer.Option("--json", help="For machines: one JSON array.")
    ] = False,
    config: Config = None,
) -> None:
    """List the bundles that have a name, and which one is the default.

    They are the packaged ones, and every folder in
    ~/.local/share/ser-stream/models (or $XDG_DATA_HOME): build or copy a bundle there,
    and its folder's name is its name.
    """
    from ser_stream.commands.model import list_models

    list_models(_default_model(config), as_json)


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

    show(model or _default_model(config), as_json)


@model_app.command("verify")
def model_verify(model: OneModel = None, config: Config = None) -> None:
    """Check every file of a bundle against its hashes, and load its graphs."""
    from ser_stream.commands.model import verify

    verify(model or _default_model(config))


def _default_model(config: Path | None) -> str:
    """What `listen` would hear with, so that all commands speak of the same."""
    from ser_stream.config import build_config

    return build_config(config, {}).model


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Every error the user can cause is one line on standard error.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Whatever the locale: JSON is UTF-8, and a file name need not be.
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    signals: list[int] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        signals.append(number)
        raise QuietEndError

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    try:
        status = app(arguments, standalone_mode=False)
    except QuietEndError:
        return 0
    except ImportError:
        if signals:  # it came while a library was being loaded
            return 0
        raise
    except SerStreamError as error:
        return _fail(str(error), error.exit_status)
    except typer.TyperException as error:
        return _fail(f"{error.format_message().rstrip('.')}; see ser-stream --help", 2)
    return status if isinstance(status, int) else 0


def _fail(message: str, status: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"ser-stream: error: {line}\n")
    return status


def main_and_exit() -> None:
    """Console script."""
    sys.exit(run())
