"""`python -m training report`."""

from pathlib import Path
from typing import Annotated

import typer

from training.engine.command_line import say


def report(
    results: Annotated[Path, typer.Option(help="Of `reproduce`.")] = Path("results"),
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path(
        "docs/results.md"
    ),
) -> None:
    """Build the page of results, with the paper's tables and figures, from results/."""
    from training.protocols import PAPER_TABLES
    from training.report.page import build

    for line in build(results, out, PAPER_TABLES):
        say(line)
