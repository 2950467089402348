"""`ser-stream` itself: the flags before the command."""

from typing import Annotated

import typer

from ser_stream import __version__, log
from ser_stream.cli.options import EPILOG
from ser_stream.commands.output import write

app = typer.Typer(
    name="ser-stream",
    help="Speech emotion recognition, live and on files.",
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    """Speech emotion recognition, live and on files."""
    log.setup("debug" if verbose else "info")
    if version:
        write(f"ser-stream {__version__}\n")
    else:
        _need_command(context)


def group(name: str, help: str) -> typer.Typer:
    """A command that has commands of its own: `ser-stream NAME ...`."""
    commands = typer.Typer(help=help)
    commands.callback(invoke_without_command=True)(_need_command)
    app.add_typer(commands, name=name)
    return commands


def _need_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n")
        raise typer.Exit(2)
