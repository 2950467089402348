"""`ser-stream listen`."""

from typing import Annotated, Literal

import typer

from ser_stream.cli.app import app
from ser_stream.cli.flags import settings_of
from ser_stream.cli.options import (
    EPILOG,
    Channels,
    Config,
    LogLevel,
    Model,
    MostSpeakers,
    Rate,
    Raw,
    RawEncoding,
    SetKeys,
    Step,
    TrustNetwork,
    Window,
)
from ser_stream.sinks import forms

Format = Literal["auto", "json", "text"]


@app.command(epilog=EPILOG)
def listen(
    context: typer.Context,
    input: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            help="mic, mic:NAME, an audio file, or - for standard input; any number of "
            "times, with a name for the lines: desk=mic:USB. [default: mic]",
            metavar="[NAME=]SRC",
        ),
    ] = None,
    pace: Annotated[
        Literal["realtime", "fast"] | None,
        typer.Option(help="Of files and pipes. [default: realtime; fast for -]"),
    ] = None,
    model: Model = None,
    step: Step = None,
    window: Window = None,
    channel: Annotated[
        str | None,
        typer.Option(
            help="Which channel is heard: mix, the mean of all; left, right, or a "
            "number from 1; each makes one stream of every channel. [default: mix]",
            metavar="mix|left|right|N|each",
        ),
    ] = None,
    raw: Raw = None,
    rate: Rate = None,
    channels: Channels = None,
    encoding: RawEncoding = None,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Wait for a microphone that is not there yet, or end with an error. "
            "[default: wait with a socket or a broker in --to, or under systemd]",
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
    trust_network: TrustNetwork = None,
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
            "127.0.0.1:9469; with --trust-network on any. [default: off]",
            metavar="HOST:PORT",
        ),
    ] = None,
    speakers: Annotated[
        bool | None,
        typer.Option(
            "--speakers/--no-speakers",
            help="Begin with who was enrolled and what was taught; see `enroll --help`."
            " [default: with]",
        ),
    ] = None,
    tell_speakers: Annotated[
        bool | None,
        typer.Option(
            "--tell-speakers/--no-tell-speakers",
            help="Say by a number who speaks; `speakers list` has them. Voices are "
            "biometric data: have the consent of who is heard. [default: "
            "no-tell-speakers]",
        ),
    ] = None,
    most_speakers: MostSpeakers = None,
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--no-adapt",
            help="Fit the model to the voices and the microphone while it listens, "
            "without labels. On voices that it never heard this brought nothing; see "
            "`adapt --help`. Needs the extra adapt. [default: no-adapt]",
        ),
    ] = None,
    log_format: Annotated[
        Format | None,
        typer.Option(
            help="Of the log on stderr. auto: text, with priorities for journald where "
            "it reads. [default: auto]"
        ),
    ] = None,
    log_level: LogLevel = None,
    set: SetKeys = None,
    config: Config = None,
) -> None:
    """Tell live which emotion a voice carries, how sure that is, and when it changes.

    Without arguments it takes the default microphone. Standard output gets one JSON
    object a line (see docs/protocol.md), or text on a terminal; standard error gets
    the log. With --to it serves programs on sockets too, or instead. Ctrl-C ends it in
    order. With a socket or a broker, and under systemd, SIGHUP reads the configuration
    file again.

    Each flag is also a key of the configuration file and a variable, as SER_STREAM_STEP
    (see docs/configuration.md); `ser-stream config show` tells what holds.

    Examples:

      ser-stream listen

      ser-stream listen --input mic:USB | jq -r 'select(.type=="emotion") | .label'

      ser-stream listen --input desk=mic:USB --input hall=mic:Jabra

      ser-stream listen --input talk.flac --pace fast

      arecord -f S16_LE -r 16000 | ser-stream listen --input -

      curl -sL https://example.org/radio.mp3 | ser-stream listen --input -

      nc -l 5000 | ser-stream listen --input - --encoding alaw --rate 8000

      ser-stream listen --to stdout: --to ws://127.0.0.1:8765

      ser-stream listen --on-emotion 'logger -t mood'

      ser-stream listen --adapt --to stdout: --to unix:///tmp/moods.sock
    """
    from ser_stream.commands.listen import listen as command

    if not command(settings_of(context, config, set, lambda k: k.table != "serve")):
        raise typer.Exit(1)
