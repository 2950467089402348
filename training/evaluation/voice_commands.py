"""`python -m training` unlabelled, who-speaks: of voices that were never heard."""

from pathlib import Path
from typing import Annotated

import typer

from training.engine.command_line import Corpora, names, say


def unlabelled(
    corpora: Corpora,
    model: Annotated[
        str, typer.Option(help="A bundle, by name or folder, with its pack.")
    ] = "open",
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            help="A corpus that is not in its training; may be repeated. "
            "[default: savee casia ravdess]"
        ),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="May be repeated. [default: 98]", min=0)
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Some of features,networks,head.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results. [default: results/loco/MODEL-heard]"),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where rounds work.")] = Path(
        "runs/unlabelled"
    ),
) -> None:
    """Does learning without labels help, after the mean of the speaker? Resumable.

    The rounds of `listen --adapt`, parts of them, and methods without gradients, on
    corpora that a bundle never heard; what is heard has all classes alike, or is 80 %
    neutral. Nothing is trained from the beginning.
    """
    from ser_stream.pipeline.bundle import load_bundle
    from training.evaluation.unlabelled.run import (
        CORPORA,
        PARTS,
        UnlabelledRun,
        lines,
    )
    from training.evaluation.unlabelled.run import unlabelled as measure

    bundle = load_bundle(model)
    space = UnlabelledRun(
        bundle.name,
        bundle.sha256,
        corpora,
        out or Path("results/loco") / f"{bundle.name}-heard",
        runs,
        tuple(seed or (98,)),
    )
    parts = names(only, tuple(PARTS))
    for line in lines(measure(space, unseen or CORPORA, parts, say=say)):
        say(line)


def who_speaks(
    corpora: Corpora,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Corpora. [default: those of docs/speakers.md]"),
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(help="Another graph of `python -m export voice`.", exists=True),
    ] = None,
    gate: Annotated[
        bool,
        typer.Option(
            "--gate", help="The speech gate says where turns are, and it takes longer."
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="JSON to write.")] = Path(
        "docs/who-speaks.json"
    ),
) -> None:
    """How well `--tell-speakers` tells who speaks: streams of 20 turns, 1 to 4 people.

    Its limits were chosen on emodb and crema-d. Some minutes.
    """
    from ser_stream.pipeline.voices.encoder import VoiceEncoder
    from training.engine.result_store import write_json
    from training.evaluation.who_speaks import CHOSEN_ON, MEASURED_ON, lines, run

    asked = names or [*CHOSEN_ON, *MEASURED_ON]
    result = run(corpora, asked, VoiceEncoder(graph), gated=gate)
    write_json(out, result)
    for line in lines(result):
        say(line)
