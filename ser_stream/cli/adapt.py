"""`ser-stream adapt ...`: what online adaptation does, and what it has learnt."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from ser_stream.cli.app import group
from ser_stream.cli.control import Socket
from ser_stream.cli.options import Config, Json, Model
from ser_stream.protocol.commands import COMMANDS

adapt_app = group(
    "adapt",
    "Online adaptation: see it, steer it, or adapt a model to recordings. Measured on "
    "voices that the model never heard, it brings nothing; `enroll` and `teach` help.",
)


EPILOG = (
    "Exit status: 0 done, 1 refused, 2 usage, configuration or a folder that cannot be "
    "written, 3 no daemon answers on the socket, and there is nothing that it has left "
    "or nothing to be done about it, 4 model, 5 it cannot be reached."
)
WhoseModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Whose adaptation: a bundle by its name in `model list`, or its folder. "
        "[default: the one that the daemon adapts, else the one that is configured]",
        metavar="DIR|NAME",
    ),
]


NOW_EPILOG = (
    "Exit status: 0 done, 1 refused, or with --wait not accepted, 3 no daemon answers "
    "on the socket, 5 it cannot be reached."
)


def _asks(do: str) -> Callable[..., None]:
    def ask(
        socket: Socket = None,
        model: WhoseModel = None,
        config: Config = None,
        as_json: Json = False,
    ) -> None:
        from ser_stream.commands.adapt import Whose, command

        command(do, Whose(socket, config, model), as_json)

    return ask


def _freeze(
    off: Annotated[bool, typer.Option("--off", help="Learn again.")] = False,
    socket: Socket = None,
    model: WhoseModel = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    do = "adapt.unfreeze" if off else "adapt.freeze"
    _asks(do)(socket, model, config, as_json)


def _now(
    socket: Socket = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the round until its verdict.")
    ] = False,
    as_json: Json = False,
) -> None:
    from ser_stream.commands.adapt import Whose, now

    if not now(Whose(socket), wait, as_json):
        raise typer.Exit(1)


_OWN_FLAGS: dict[str, Callable[..., None]] = {
    "adapt.now": _now,
    "adapt.freeze": _freeze,
}
for _each in COMMANDS.values():
    if _each.adapts and _each.help:
        _epilog = NOW_EPILOG if _each.name == "adapt.now" else EPILOG
        adapt_app.command(_each.word, help=_each.help, epilog=_epilog)(
            _OWN_FLAGS.get(_each.name) or _asks(_each.name)
        )


@adapt_app.command(
    "folder",
    epilog="Exit status: 0 done, 1 rejected by the guard, a recording that could not "
    "be read, or a worker that died, 2 usage, configuration, unreadable input or too "
    "little speech, 4 model or pack, 5 the bundle cannot be written, 69 a library is "
    "missing or cannot be loaded, 130 stopped by Ctrl-C or a signal.",
)
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
        Literal["whole", "cheap"] | None,
        typer.Option(
            help="Change the whole network, or a cheap subset of it. [default: "
            "adapt.scope of the configuration, else cheap]"
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option(help="How often to learn from them.", min=1, max=100)
    ] = 1,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Adapt a model to recordings, without labels, and write it as a bundle.

    Finds the speech in them as `listen` would, then learns from it as `listen --adapt`
    does, under the same guard: what makes the model worse is rejected, with the reason
    and exit status 1, and nothing is written. Needs the extra adapt.

    A bundle that was made so can be adapted again, with the pack of the model it grew
    from.

    Examples:

      ser-stream adapt folder ~/interviews --out ~/.local/share/ser-stream/models/mine

      ser-stream listen --model mine
    """
    from ser_stream.commands.adapt_folder import adapt
    from ser_stream.config import build_config

    flags = {
        "model": model,
        "adapt.pack": None if pack is None else str(pack),
        "adapt.scope": scope,
    }
    if not adapt(folder, out, build_config(config, flags), rounds, as_json):
        raise typer.Exit(1)
