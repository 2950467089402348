"""`python -m training` reproduce, emobox-joint."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from training.engine.command_line import Corpora, Device, Epochs, Only, Results, say
from training.recipe.commands import TrainingRun, training_command

RESULTS = Path("results")


@training_command
def emobox_joint(
    run: TrainingRun,
    results: Results = RESULTS,
    only: Only = None,
    own_epochs: Annotated[
        int,
        typer.Option(
            help="Go on for so many epochs on each scored corpus alone.", min=0
        ),
    ] = 0,
) -> None:
    """EmoBox's folds, one network for all corpora in each; resumable."""
    from training.paper.emobox_joint import run as run_folds

    settings = run.settings()
    utterances, options = run.recordings(settings)
    out = run.out or Path("runs") / f"{settings.name}-joint"
    run_folds(
        utterances,
        settings,
        out,
        results,
        options,
        only=only,
        own_epochs=own_epochs,
        say=say,
    )
    say(_next(results))


def reproduce(
    corpora: Corpora,
    table: Annotated[
        str,
        typer.Argument(
            help="1, 2, 3, 4, S3, S4 or S5 of the paper; emobox, loso, yardstick; why "
            "(CPAC with choices of the paper); all."
        ),
    ] = "all",
    protocol: Annotated[
        str | None,
        typer.Option(help="Only paper-10fold, emobox, loso or cross."),
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="Only this system; may be repeated.")
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this corpus, or pair as source-target; may be repeated."
        ),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="May be repeated. [default: 98]", min=0)
    ] = None,
    fold: Annotated[
        list[str] | None, typer.Option(help="Only this fold; may be repeated.")
    ] = None,
    results: Results = RESULTS,
    runs: Annotated[
        Path, typer.Option(help="Where unfinished runs and features are kept.")
    ] = Path("runs/reproduce"),
    device: Device = "auto",
    jobs: Annotated[
        int, typer.Option(help="Processes; 0: one a core, or one on a GPU.", min=0)
    ] = 0,
    epochs: Epochs = None,
    needed: Annotated[
        bool,
        typer.Option(
            "--needed", help="Only what the page of results counts as missing."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the experiments that are missing.")
    ] = False,
) -> int:
    """Compute the missing experiments of the paper's tables, most telling first.

    One JSON file for each finished fold. Kill it when you like: the same command goes
    on where it was.
    """
    from training.engine.run_experiments import missing
    from training.paper.reproduce.tables import choose
    from training.paper.reproduce.workspace import Workspace

    space = Workspace(corpora, results, runs, device, epochs)
    wanted = choose(
        table,
        protocol,
        seed or [98],
        systems=system or (),
        places=place or (),
        folds=fold or (),
        needed=needed,
    )
    if dry_run:
        todo = missing(wanted, space)
        for one in todo:
            say(one.name)
        say(f"{len(todo)} of {len(wanted)} experiments are missing")
        return 0
    from training.paper.reproduce.run import reproduce

    failed = reproduce(wanted, space, jobs=jobs, say=say)
    for line in failed:
        say(f"failed: {line}")
    if not failed:
        say(_next(results))
    return 1 if failed else 0


def _next(results: Path) -> str:
    given = f" --results {quote(str(results))}" if results != RESULTS else ""
    return f"next: python -m training report{given}"
