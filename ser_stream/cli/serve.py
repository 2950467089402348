"""`ser-stream serve`."""

from typing import Annotated, Literal

import typer

from ser_stream.cli.app import app
from ser_stream.cli.flags import settings_of
from ser_stream.cli.options import (
    EPILOG,
    Config,
    LogLevel,
    Model,
    SetKeys,
    Step,
    TrustNetwork,
    Window,
)
from ser_stream.sinks import one_way_forms


@app.command(epilog=EPILOG)
def serve(
    context: typer.Context,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            help="Where clients send audio to, any number of times: ws://HOST:PORT, "
            "tcp://HOST:PORT, unix:///PATH or wyoming://HOST:PORT; or "
            "nats://HOST/PREFIX, where a NATS server shares clients out among several "
            "(docs/fleet.md).",
            metavar="URI",
        ),
    ] = None,
    trust_network: TrustNetwork = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            help="Where the events of all streams go too, any number of times, each "
            f"with the name of its stream: {', '.join(one_way_forms().values())}. "
            "[default: nowhere]",
            metavar="URI",
        ),
    ] = None,
    model: Model = None,
    step: Step = None,
    window: Window = None,
    max_streams: Annotated[
        int | None, typer.Option(help="At once, on all addresses. [default: 200]")
    ] = None,
    idle_s: Annotated[
        float | None,
        typer.Option(
            help="End a stream after so long without audio. [default: 30]",
            metavar="SECONDS",
        ),
    ] = None,
    max_s: Annotated[
        float | None,
        typer.Option(
            help="End a stream when it has lasted so long; 0 for never. [default: 0]",
            metavar="SECONDS",
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            help="File with the token that clients of tcp:// and ws:// must know; or "
            "put it into the variable SER_STREAM_TOKEN. Needed for addresses that "
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
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Serve figures for Prometheus, /healthz and /readyz on an address of "
            "this machine, such as 127.0.0.1:9470; with --trust-network on any. "
            "[default: off]",
            metavar="HOST:PORT",
        ),
    ] = None,
    log_format: Annotated[
        Literal["auto", "json", "text"] | None,
        typer.Option(help="Of the log on stderr. [default: auto]"),
    ] = None,
    log_level: LogLevel = None,
    set: SetKeys = None,
    config: Config = None,
) -> None:
    """Take audio over the network: each client sends its own, and gets its emotions.

    A client says what it sends, sends it as it is spoken or faster, and is told hello,
    predictions and emotions, as `listen` tells them; see docs/serve.md. Clients do not
    hear of each other. A ws:// address also serves a page that sends a browser's
    microphone. Ctrl-C ends all streams in order; SIGHUP reads the limits and the token
    again, for whoever comes then. `ser-stream status --socket ADDRESS` tells how it is.

    Flags are also keys of the configuration file, those of this command in the table
    [serve], and variables, as SER_STREAM_SERVE_MAX_STREAMS.

    Examples:

      ser-stream serve --listen ws://127.0.0.1:8770

      ser-stream serve --listen tcp://127.0.0.1:8771 --max-streams 20 --idle-s 10

      ser-stream send talk.flac ws://127.0.0.1:8770

      { echo '{"type":"open"}'; arecord -t raw -f S16_LE -r 16000; } | nc -N localhost 8771
    """  # noqa: E501  one line of the help
    from ser_stream.commands.serve import serve as command

    command(
        settings_of(context, config, set, lambda k: k.name not in ("to", "metrics"))
    )
