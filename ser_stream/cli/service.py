"""`ser-stream install-service` and `doctor`: the daemon as a service."""

from typing import Annotated

import typer

from ser_stream.cli.app import app
from ser_stream.cli.options import EPILOG, Config, Json


@app.command(epilog=EPILOG)
def install_service(
    user: Annotated[
        bool,
        typer.Option(
            "--user", help="A service of yours, with the sound of your session."
        ),
    ] = False,
    system: Annotated[
        bool,
        typer.Option("--system", help="A service of the machine, with ALSA; as root."),
    ] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Also enable it, and start or restart it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the units.")
    ] = False,
    uninstall: Annotated[
        bool, typer.Option("--uninstall", help="Stop it, and remove the units.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite units changed by hand.")
    ] = False,
) -> None:
    """Make the daemon a service of systemd: write its units, and say what comes next.

    The units start this very installation. Run it again after an upgrade; what you
    changed with `systemctl edit ser-stream` stays. See docs/service.md.

    Examples:

      ser-stream install-service --now

      sudo /opt/ser-stream/bin/ser-stream install-service --system --now
    """
    from ser_stream.commands.install_service import install, scope_of
    from ser_stream.commands.install_service import uninstall as remove

    scope = scope_of(user=user, system=system)
    if uninstall:
        remove(scope, dry_run=dry_run, force=force)
    else:
        install(scope, now=now, dry_run=dry_run, force=force)


@app.command(
    epilog="Exit status: 0 nothing failed (there may be warnings), 1 something did."
)
def doctor(
    as_json: Json = False,
    seconds: Annotated[
        float, typer.Option(help="How long to listen.", min=0.5, max=60)
    ] = 2.0,
    input: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            help="mic or mic:NAME. [default: that of the configuration]",
            metavar="SRC",
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Find what is wrong, and say how to mend it: sound, model, settings, service.

    Speak while it listens: it finds out whether the microphone is muted, too quiet or
    clipping. Nothing is changed, and no audio is stored.
    """
    from ser_stream.commands.doctor import doctor as command

    if command(config, input, seconds, as_json):
        raise typer.Exit(1)
