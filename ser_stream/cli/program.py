"""Runs the command line: every error the user can cause is one line and a status."""

import io
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ser_stream import log
from ser_stream.cli.app import app
from ser_stream.commands import unfinished
from ser_stream.commands.output import discard_output
from ser_stream.errors import QuietEndError, SerStreamError, SinkError, StoppedError

_ADDRESS_FLAGS = {
    "--socket": "the address of a daemon",
    "--listen": "an address to listen on",
}
"""Where an address goes that was given without a flag."""
_ALONE = ("listen", "serve")
"""They run for long, and need not hold the flags of all others: 0.9 MB."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Every error the user can cause is one line on standard error.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    first = arguments[0] if arguments else ""
    import_module(f"ser_stream.cli.{first if first in _ALONE else 'all_commands'}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Whatever the locale: JSON is UTF-8. A file name need not be: bytes that are
        # none are written as JSON writes them, and can be had back by os.fsencode.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    signals: list[int] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        signals.append(number)
        raise QuietEndError(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    try:
        status = app(arguments, standalone_mode=False)
    except QuietEndError as end:
        return _stopped(arguments, end.signal)
    except ImportError:
        if signals:  # it came while a library was being loaded
            return _stopped(arguments, signals[-1])
        raise
    except SerStreamError as error:
        return _fail(str(error), error.exit_status)
    except typer.TyperException as error:
        return _fail(_usage(error.format_message(), arguments), 2)
    except OSError as error:
        # Of typer's own, as where --help goes to a full disk; ours are all told.
        discard_output()
        if isinstance(error, BrokenPipeError):
            return 0
        where = error.filename or "standard output"
        return _fail(f"{where}: {error.strerror or error}", SinkError.exit_status)
    return status if isinstance(status, int) else 0


def _usage(message: str, arguments: Sequence[str]) -> str:
    """A complaint of typer, in the words of this program."""
    message = message.rstrip(".").replace("Value error, ", "")
    # Not from the context of the complaint: not each one has it.
    command, names = get_command(app), ["ser-stream"]
    for argument in arguments:
        if not isinstance(command, TyperGroup):
            break
        if argument in command.commands:
            command = command.commands[argument]
            names.append(argument)
        elif not any(argument in parameter.opts for parameter in command.params):
            break
    if "unexpected extra argument" in message and (
        "://" in message or ".sock" in message
    ):
        flags = {flag for parameter in command.params for flag in parameter.opts}
        for flag, what in _ADDRESS_FLAGS.items():
            if flag in flags:
                return f"{message}; {what} goes to {flag}"
    return f"{message}; see {' '.join(names)} --help"


def _stopped(arguments: Sequence[str], number: int | None) -> int:
    if number is not None and unfinished.is_unfinished(arguments):
        return _fail(unfinished.MESSAGE, StoppedError.exit_status)
    # Whoever runs next must not take what `recognize` printed for all of it.
    if arguments[:1] == ["recognize"] and number == signal.SIGTERM:
        return _fail("stopped", StoppedError.exit_status)
    return 0


def _fail(message: str, status: int) -> int:
    log.report(" ".join(message.split()))
    return status


def main_and_exit() -> None:
    sys.exit(run())
