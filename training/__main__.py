"""`python -m training`: corpora, train, evaluate, reproduce; --help lists them all."""

import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from ser_stream.errors import SerStreamError
from training.evaluation import commands as evaluation
from training.evaluation import voice_commands
from training.paper import commands as paper
from training.recipe import commands as recipe
from training.report.command import report

INTERRUPTED = 130
COMMANDS: dict[str, Callable[..., Any]] = {
    "corpora": recipe.check_corpora,
    "train": recipe.train,
    "crossval": evaluation.crossval,
    "emobox-joint": paper.emobox_joint,
    "recentre": evaluation.recentre,
    "calibrate": evaluation.calibrate,
    "zero-shot": evaluation.zero_shot,
    "loco": evaluation.loco,
    "told": evaluation.told,
    "unlabelled": voice_commands.unlabelled,
    "who-speaks": voice_commands.who_speaks,
    "reproduce": paper.reproduce,
    "report": report,
    "thresholds": evaluation.thresholds,
    "stream-eval": evaluation.stream_eval,
    "adapt-eval": evaluation.adapt_eval,
    "features": recipe.features,
    "slim": recipe.slim,
}

app = typer.Typer(
    help="Train and evaluate CPAC. Corpora are folders side by side in --corpora DIR.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for name, command in COMMANDS.items():
    app.command(name)(command)
# The older name of zero-shot.
app.command("unseen", hidden=True)(evaluation.zero_shot)


def main() -> int:
    """Run, and turn the errors a user can mend into one line."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = app(standalone_mode=False)
    except SerStreamError as error:
        sys.stderr.write(f"training: error: {error}\n")
        return error.exit_status
    except OSError as error:
        sys.stderr.write(f"training: error: {error}\n")
        return 2
    except typer.TyperException as error:
        sys.stderr.write(f"training: error: {error.format_message()}\n")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:
        # Typer answers with the status where Ctrl-C came while it ran a command.
        sys.stderr.write("training: stopped; the same command goes on from here\n")
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
