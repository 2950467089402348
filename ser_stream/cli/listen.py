"""`ser-stream listen`."""

from enum import StrEnum
from typing import Annotated

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import (
    EPILOG,
    Config,
    Model,
    SetKeys,
    Step,
    Window,
    table_flags,
)
from ser_stream.sinks import forms


class Pace(StrEnum):
    """How fast a recording is read."""

    realtime = "realtime"
    fast = "fast"


class Format(StrEnum):
    """What `listen` prints, and how it logs."""

    auto = "auto"
    json = "json"
    text = "text"


class Level(StrEnum):
    """What is worth a line of the log."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


@app.command(epilog=EPILOG)
def listen(
    context: typer.Context,
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
    model: Model = None,
    step: Step = None,
    window: Window = None,
    rate: Annotated[
        int | None, typer.Option(help="Hz of raw samples on -. [default: 16000]")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Channels of raw samples on -. [default: 1]")
    ] = None,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Wait for a microphone that is not there yet, or end with an error. "
            "[default: wait with a socket in --to, or under systemd]",
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Where events go, any number of times: {', '.join(forms().values())}."
            " [default: stdout:]",
            metavar="URI",
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            help="Of stdout. auto: text on a terminal, else JSON lines. [default: auto]"
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            help="File with the token that subscribers to tcp:// and ws:// must know; "
            "or put it into the variable SER_STREAM_TOKEN. Needed for addresses that "
            "other machines reach.",
            metavar="FILE",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Web origin whose pages may open ws://, any number of times; our own "
            "page may. Such as https://example.org.",
            metavar="ORIGIN",
        ),
    ] = None,
    max_subscribers: Annotated[
        int | None, typer.Option(help="At once, on all sockets. [default: 2000]")
    ] = None,
    on_emotion: Annotated[
        str | None,
        typer.Option(
            help="Run a command when an emotion begins, with its JSON line on stdin. "
            "Split into words as a shell would, but no shell runs it.",
            metavar="CMD",
        ),
    ] = None,
    on_emotion_every: Annotated[
        float | None,
        typer.Option(
            help="Start it at most once in so many seconds. [default: 1]",
            metavar="SECONDS",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Serve figures for Prometheus on an address of this machine, such as "
            "127.0.0.1:9469. [default: off]",
            metavar="HOST:PORT",
        ),
    ] = None,
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--no-adapt",
            help="Fit the model to the voices and the microphone while it listens, "
            "without labels; see `adapt --help`. Needs the extra adapt. [default: "
            "no-adapt]",
        ),
    ] = None,
    log_format: Annotated[
        Format | None,
        typer.Option(
            help="Of the log on stderr. auto: text, with priorities for journald where "
            "it reads. [default: auto]"
        ),
    ] = None,
    log_level: Annotated[
        Level | None, typer.Option(help="What is worth logging. [default: info]")
    ] = None,
    set: SetKeys = None,
    config: Config = None,
) -> None:
    """Tell live which emotion a voice carries, how sure that is, and when it changes.

    Without arguments it takes the default microphone. Standard output gets one JSON
    object a line (see docs/protocol.md), or text on a terminal; standard error gets
    the log. With --to it serves programs on sockets too, or instead. Ctrl-C ends it in
    order; SIGHUP reads the configuration file again.

    Each flag is also a key of the configuration file and a variable, as SER_STREAM_STEP
    (see docs/configuration.md); `ser-stream config show` tells what holds.

    Examples:
      ser-stream listen

      ser-stream listen --input mic:USB | jq -r 'select(.type=="emotion") | .label'

      ser-stream listen --input talk.flac --pace fast

      arecord -f S16_LE -r 16000 | ser-stream listen --input -

      ser-stream listen --to stdout: --to ws://127.0.0.1:8765

      ser-stream listen --on-emotion 'logger -t mood'

      ser-stream listen --adapt --to stdout: --to unix:///tmp/moods.sock
    """
    from ser_stream import log
    from ser_stream.commands.listen import listen as command
    from ser_stream.config import resolve

    # -v stands before the command, where there is no configuration yet.
    verbose = context.parent is not None and context.parent.params["verbose"]
    level = log_level.value if log_level else ("debug" if verbose else None)
    flags = {
        "input": input,
        "pace": pace.value if pace else None,
        "rate": rate,
        "channels": channels,
        "wait": wait,
        "model": model,
        "step": step,
        "window": window,
        "to": to or None,
        "format": format.value if format else None,
        "token_file": token_file,
        "allow_origin": allow_origin or None,
        "max_subscribers": max_subscribers,
        "on_emotion": on_emotion,
        "on_emotion_every_s": on_emotion_every,
        "metrics": metrics,
        "adapt.enabled": adapt,
        "log_format": log_format.value if log_format else None,
        "log_level": level,
    }
    settings = resolve(config, flags | table_flags(set))
    log.setup(settings.config.log_level, settings.config.log_format)
    command(settings)
