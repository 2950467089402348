"""`python -m export CHECKPOINT DIR`: checkpoint -> bundle, with its parity proof."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ser_stream.errors import SerStreamError

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Of `python -m training train`.")],
    folder: Annotated[Path, typer.Argument(help="Bundle to write.", metavar="DIR")],
    crossval: Annotated[
        Path | None,
        typer.Option(help="crossval.json, for calibration and metrics."),
    ] = None,
    clips: Annotated[
        Path, typer.Option(help="Real recordings for the parity proof.")
    ] = Path("tests/data"),
    name: Annotated[
        str | None, typer.Option(help="Of the bundle; else the configuration's.")
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(help="JSON of [smoothing] settings that a search has found."),
    ] = None,
    unseen: Annotated[
        Path | None,
        typer.Option(help="JSON of `python -m training unseen` on the bundle."),
    ] = None,
    stream_eval: Annotated[
        Path | None,
        typer.Option(help="JSON of `python -m training stream-eval` on the bundle."),
    ] = None,
) -> None:
    """Write the bundle of a checkpoint, and prove that it computes the same.

    Export, measure the bundle, and export again with what was measured: the graphs stay
    the same to the last bit, and the card then tells it.
    """
    from export.bundle import export_bundle

    made = export_bundle(
        checkpoint,
        folder,
        clips,
        crossval,
        name,
        thresholds=thresholds,
        unseen=unseen,
        stream_eval=stream_eval,
    )
    rows = "\n".join(
        f"  {key}: {value}" for key, value in made.parity.to_dict().items()
    )
    sys.stdout.write(f"parity\n{rows}\n{folder}: sha256 {made.bundle.sha256}\n")


def main() -> int:
    """Run, and turn the errors a user can mend into one line."""
    try:
        status = app(standalone_mode=False)
    except SerStreamError as error:
        sys.stderr.write(f"export: error: {error}\n")
        return error.exit_status
    except typer.TyperException as error:
        sys.stderr.write(f"export: error: {error.format_message()}\n")
        return 2
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
