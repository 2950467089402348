"""`ser-stream status`, `pause`, `resume` and `reload`: a running daemon's operator."""

from collections.abc import Callable
from typing import Annotated

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import Json
from ser_stream.protocol.commands import COMMANDS

Socket = Annotated[
    str | None,
    typer.Option(
        "--socket",
        help="The daemon's unix socket, a path or unix:///PATH. [default: "
        "$XDG_RUNTIME_DIR/ser-stream/ser-stream.sock, else "
        "/run/ser-stream/ser-stream.sock]",
        metavar="PATH",
    ),
]
StatusSocket = Annotated[
    str | None,
    typer.Option(
        "--socket",
        help="The daemon's unix socket, a path or unix:///PATH; of `ser-stream serve` "
        "a unix://, tcp:// or ws:// address, whose token is in SER_STREAM_TOKEN. "
        "[default: $XDG_RUNTIME_DIR/ser-stream/ser-stream.sock, else "
        "/run/ser-stream/ser-stream.sock]",
        metavar="ADDRESS",
    ),
]
EPILOG = (
    "Exit status: 0 done, 1 refused, 3 no daemon answers on the socket, 5 it cannot be "
    "reached."
)
STATUS_EPILOG = (
    "Exit status: 0 healthy or paused, 1 degraded (no audio comes; of serve, streams "
    "are late or a broker is away), 3 no daemon listens on the socket, 5 one does and "
    "does not answer, or takes no more who ask."
)


Source = Annotated[
    str | None,
    typer.Option(
        help="Of a daemon that hears several: the name of one. [default: all]",
        metavar="NAME",
    ),
]


def _asks(do: str) -> Callable[..., None]:
    def ask(
        socket: Socket = None, source: str | None = None, as_json: bool = False
    ) -> None:
        from ser_stream.commands.control import command

        answer = command(do, socket, as_json, source)
        if do == "status" and answer["degraded"]:
            raise typer.Exit(1)

    def ask_of_one(
        socket: Socket = None, source: Source = None, as_json: Json = False
    ) -> None:
        ask(socket, source, as_json)

    def ask_of_all(socket: Socket = None, as_json: Json = False) -> None:
        ask(socket, None, as_json)

    def ask_status(
        socket: StatusSocket = None, source: Source = None, as_json: Json = False
    ) -> None:
        ask(socket, source, as_json)

    if do == "status":
        return ask_status
    return ask_of_one if "source" in COMMANDS[do].optional else ask_of_all


for _each in COMMANDS.values():
    if _each.help and not _each.adapts:
        _epilog = STATUS_EPILOG if _each.name == "status" else EPILOG
        app.command(_each.word, help=_each.help, epilog=_epilog)(_asks(_each.name))
