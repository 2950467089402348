"""`ser-stream status`, `pause`, `resume` and `reload`: a running daemon's operator."""

from typing import Annotated

import typer

from ser_stream.cli.app import app

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
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")]
EPILOG = (
    "Exit status: 0 done, 1 refused, 3 no daemon answers on the socket, 5 it cannot be "
    "reached."
)


@app.command(
    epilog="Exit status: 0 healthy or paused, 1 degraded (no audio comes), 3 no daemon "
    "listens on the socket, 5 one does and does not answer."
)
def status(socket: Socket = None, as_json: Json = False) -> None:
    """Tell how the running daemon is: device, model, steps, losses, subscribers.

    Examples:
      ser-stream status

      ser-stream status --json | jq .latency_ms
    """
    from ser_stream.commands.control import status as command

    if command(socket, as_json):
        raise typer.Exit(1)


@app.command(epilog=EPILOG)
def pause(socket: Socket = None, as_json: Json = False) -> None:
    """Have the daemon release the microphone, until `resume`, over restarts too."""
    from ser_stream.commands.control import command

    command("pause", socket, as_json)


@app.command(epilog=EPILOG)
def resume(socket: Socket = None, as_json: Json = False) -> None:
    """Have the daemon take the microphone again."""
    from ser_stream.commands.control import command

    command("resume", socket, as_json)


@app.command(epilog=EPILOG)
def reload(socket: Socket = None, as_json: Json = False) -> None:
    """Have the daemon read its configuration again, and load the model it names.

    What is changed takes effect between two steps, and no sound is lost. A
    configuration or a model that is bad is refused, and everything stays as it was.
    SIGHUP does the same, without an answer.
    """
    from ser_stream.commands.control import command

    command("reload", socket, as_json)
