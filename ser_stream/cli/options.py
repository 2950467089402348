"""Flags that several commands share, and what all of them say of exit statuses."""

from pathlib import Path
from typing import Annotated, Literal

import typer

EPILOG = (
    "Exit status: 0 done (also by Ctrl-C), 1 an input was cut or damaged, or "
    "`recognize` could not read one, 2 usage, "
    "configuration or unreadable input, 3 audio device, 4 model, 5 output, 69 a "
    "library is missing."
)

Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")]
JsonArray = Annotated[
    bool, typer.Option("--json", help="For machines: one JSON array.")
]
Model = Annotated[
    str | None,
    typer.Option(
        help="Bundle by its name in `model list`, or its folder: open costs a "
        "hundredth of a core, accurate a tenth and is right more often. [default: "
        "open, or what `model use` chose]",
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
Channel = Annotated[
    str | None,
    typer.Option(
        help="Which channel is heard: mix, the mean of all; left, right, or a number "
        "from 1. [default: mix]",
        metavar="mix|left|right|N",
    ),
]
Raw = Annotated[
    bool | None,
    typer.Option(
        "--raw/--no-raw",
        help="There is no header: bare samples, with what the next three say.",
    ),
]
Rate = Annotated[
    int | None, typer.Option(help="Hz of samples without a header. [default: 16000]")
]
Channels = Annotated[
    int | None,
    typer.Option(help="How many in samples without a header. [default: 1]"),
]
RawEncoding = Annotated[
    Literal["s16", "s24", "s32", "f32", "alaw", "mulaw"] | None,
    typer.Option(help="Of samples without a header, little-endian. [default: s16]"),
]
Uri = Annotated[
    str | None,
    typer.Argument(
        help="unix:///PATH, tcp://HOST:PORT or ws://HOST:PORT; else the socket of "
        "your own daemon, or of the system's.",
        metavar="URI",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the token of a TCP or WebSocket daemon; else "
        "SER_STREAM_TOKEN of the environment.",
        metavar="FILE",
        readable=False,
    ),
]
MostSpeakers = Annotated[
    int | None,
    typer.Option(
        help="With --tell-speakers: how many are told apart, 1 to 16. [default: 4]"
    ),
]
Step = Annotated[
    float | None,
    typer.Option(
        help="Seconds between predictions: 0.1, 0.2, ... 2. [default: the model's; "
        "0.2, of accurate 0.5]"
    ),
]
Window = Annotated[
    float | None,
    typer.Option(
        help="Longest window in seconds. [default: the model's; 2.9, of accurate 3]"
    ),
]
TrustNetwork = Annotated[
    bool | None,
    typer.Option(
        "--trust-network/--no-trust-network",
        help="Let other machines reach wyoming:// and --metrics, which know no token. "
        "[default: no-trust-network]",
    ),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option(help="What is worth logging. [default: info]"),
]
Config = Annotated[
    Path | None,
    typer.Option(
        help="TOML file. [default: ~/.config/ser-stream/config.toml, else "
        "/etc/ser-stream/config.toml, if there is one]"
    ),
]
SetKeys = Annotated[
    list[str] | None,
    typer.Option(
        help="Set a key of [gate], [smoothing] or [adapt], any number of times, as "
        "gate.max_pause_s=1.0.",
        metavar="TABLE.KEY=VALUE",
    ),
]


def default_model(config: Path | None) -> str:
    """The configuration of `listen`, so that all commands speak of the same."""
    from ser_stream.config import build_config

    return build_config(config, {}).model
