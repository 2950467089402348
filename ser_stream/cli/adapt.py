"""`ser-stream adapt ...`: what online adaptation does, and what it has learnt."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ser_stream.cli.app import group
from ser_stream.cli.control import EPILOG as CONTROL_EPILOG
from ser_stream.cli.control import Json, Socket
from ser_stream.cli.options import EPILOG, Config, Model

adapt_app = group(
    "adapt", "Online adaptation: see it, steer it, or adapt a model to recordings."
)


class Scope(StrEnum):
    """What a round may change."""

    whole = "whole"
    cheap = "cheap"


@adapt_app.command("status", epilog=CONTROL_EPILOG)
def adapt_status(
    socket: Socket = None, as_json: Json = False, config: Config = None
) -> None:
    """Tell how far it is: the version in force, the speech heard, the last verdict.

    Where no daemon runs, what it has left on disk.
    """
    from ser_stream.commands.adapt import status

    status(socket, config, as_json)


@adapt_app.command("history", epilog=CONTROL_EPILOG)
def adapt_history(
    socket: Socket = None, as_json: Json = False, config: Config = None
) -> None:
    """Tell every verdict and why, oldest first; --json adds the figures behind each.

    Where no daemon runs, what it has left on disk.
    """
    from ser_stream.commands.adapt import history

    history(socket, config, as_json)


@adapt_app.command(
    "now",
    epilog="Exit status: 0 done, 1 refused, or with --wait not accepted, 3 no daemon "
    "answers on the socket, 5 it cannot be reached.",
)
def adapt_now(
    socket: Socket = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the round until its verdict.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a round with the speech heard so far, however little of it is new.

    Examples:
      ser-stream adapt now --wait
    """
    from ser_stream.commands.adapt import now

    if not now(socket, wait, as_json):
        raise typer.Exit(1)


@adapt_app.command("freeze", epilog=CONTROL_EPILOG)
def adapt_freeze(
    off: Annotated[bool, typer.Option("--off", help="Learn again.")] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Stay with the version in force: no more rounds, over restarts too.

    It is still watched, and rolled back if it does badly.
    """
    from ser_stream.commands.adapt import command

    command("adapt.unfreeze" if off else "adapt.freeze", socket, as_json)


@adapt_app.command("rollback", epilog=CONTROL_EPILOG)
def adapt_rollback(socket: Socket = None, as_json: Json = False) -> None:
    """Go back to the version before the one in force, or to the model as it came."""
    from ser_stream.commands.adapt import command

    command("adapt.rollback", socket, as_json)


@adapt_app.command("reset", epilog=CONTROL_EPILOG)
def adapt_reset(socket: Socket = None, as_json: Json = False) -> None:
    """Go back to the model as it came, and erase what was learnt and heard."""
    from ser_stream.commands.adapt import command

    command("adapt.reset", socket, as_json)


@adapt_app.command("folder", epilog=EPILOG)
def adapt_folder(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Recordings; those in folders within it too.",
            metavar="DIR",
            readable=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the adapted bundle; a new one.", metavar="BUNDLE"
        ),
    ],
    model: Model = None,
    pack: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the adaptation pack. [default: that of the model]",
            metavar="DIR",
        ),
    ] = None,
    scope: Annotated[
        Scope | None,
        typer.Option(
            help="Change the whole network, or a cheap subset of it. [default: whole]"
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option(help="How often to learn from them.", min=1, max=100)
    ] = 1,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Adapt a model to recordings, without labels, and write it as a bundle.

    Hears them as `listen` would, then learns from the speech in them as `listen
    --adapt` does, under the same guard: what makes the model worse is refused, with the
    reason and exit status 1, and nothing is written. Needs the extra adapt.

    Examples:
      ser-stream adapt folder ~/interviews --out ~/.local/share/ser-stream/models/mine

      ser-stream listen --model mine
    """
    from ser_stream.commands.adapt_folder import adapt
    from ser_stream.config import build_config

    flags = {
        "model": model,
        "adapt.pack": None if pack is None else str(pack),
        "adapt.scope": scope.value if scope else None,
    }
    if not adapt(folder, out, build_config(config, flags), rounds, as_json):
        raise typer.Exit(1)
