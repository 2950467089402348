"""What the commands of `python -m training` have in common: options and output."""

import sys
from pathlib import Path
from typing import Annotated

import typer

Corpora = Annotated[
    Path,
    typer.Option(
        envvar="SER_CORPORA",
        help="Folder that holds the corpora: NAME/manifest.csv, an audformat database "
        "NAME/db.yaml, or the publisher's layout in casia/, emodb/, savee/, ravdess/.",
    ),
]
Results = Annotated[Path, typer.Option(help="Where results go.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Epochs = Annotated[
    int | None, typer.Option(help="Instead of the configuration's.", min=1)
]
Only = Annotated[
    int | None, typer.Option(help="One fold alone, to share work between processes.")
]
Limit = Annotated[
    int | None,
    typer.Option(help="At most so many clips of a speaker and emotion: a trial."),
]
ModelName = Annotated[
    str, typer.Argument(help="Name of a packaged bundle, or a bundle's folder.")
]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def names(text: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """The names in `a,b`; the default where none are given."""
    return default if text is None else tuple(x.strip() for x in text.split(","))
