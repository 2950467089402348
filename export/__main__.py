"""`python -m export`: checkpoint -> bundle, with its parity proof; and its pack.

`python -m export CHECKPOINT DIR` is `python -m export bundle CHECKPOINT DIR`.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ser_stream.errors import SerStreamError

app = typer.Typer(
    help="A trained checkpoint as a bundle, and the pack that adapts it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = ("bundle", "card", "features", "adaptation-pack", "voice")

Checkpoint = Annotated[Path, typer.Argument(help="Of `python -m training train`.")]
Unseen = Annotated[
    Path | None,
    typer.Option(help="JSON of `python -m training zero-shot` on the bundle."),
]
StreamEval = Annotated[
    Path | None,
    typer.Option(help="JSON of `python -m training stream-eval` on the bundle."),
]

FeaturesFile = Annotated[
    Path | None,
    typer.Option(help="What `python -m training features` has written."),
]


@app.command()
def bundle(
    checkpoint: Checkpoint,
    folder: Annotated[Path, typer.Argument(help="Bundle to write.", metavar="DIR")],
    crossval: Annotated[
        Path | None,
        typer.Option(
            help="crossval.json, or calibration.json of `python -m training "
            "calibrate`, for calibration and metrics."
        ),
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
    unseen: Unseen = None,
    stream_eval: StreamEval = None,
    features: FeaturesFile = None,
) -> None:
    """Write the bundle of a checkpoint, and prove that it computes the same.

    What is measured of it later, `card` puts beside it.
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
        features=features,
    )
    rows = "\n".join(
        f"  {key}: {value}" for key, value in made.parity.to_dict().items()
    )
    sys.stdout.write(f"parity\n{rows}\n{folder}: sha256 {made.bundle.sha256}\n")


@app.command()
def card(
    folder: Annotated[
        Path, typer.Argument(help="Bundle that was measured.", metavar="BUNDLE")
    ],
    crossval: Annotated[
        Path | None, typer.Option(help="crossval.json that it was exported with.")
    ] = None,
    unseen: Unseen = None,
    stream_eval: StreamEval = None,
) -> None:
    """Write evidence.json and the card of a bundle with what was measured of it.

    The model stays the same one: its manifest and graphs are not touched. What is not
    given stays as it was.
    """
    from export.card import renew_card

    given = {"crossval": crossval, "unseen": unseen, "stream_eval": stream_eval}
    made = renew_card(folder, given)
    sys.stdout.write(f"{made.folder}: card written, sha256 {made.sha256}\n")


@app.command()
def features(
    checkpoint: Checkpoint,
    folder: Annotated[
        Path, typer.Argument(help="Bundle exported from it.", metavar="BUNDLE")
    ],
    measured: Annotated[
        Path | None,
        typer.Option(
            "--features", help="What `python -m training features` has written."
        ),
    ] = None,
) -> None:
    """Write features.npz of a bundle: it can be taught then, and tell what is familiar.

    The graphs stay the same, and what was measured of them; that the file fits them is
    checked. By its hash it is another model: it says something else of a voice that it
    has heard for long.
    """
    from export.features import add_features

    made = add_features(checkpoint, folder, measured)
    sys.stdout.write(f"{made.features} written, sha256 of the model {made.sha256}\n")


@app.command()
def voice(
    out: Annotated[Path, typer.Argument(help="Graph to write.")] = Path(
        "ser_stream/pipeline/voices/voice_encoder.onnx"
    ),
    weights: Annotated[
        Path, typer.Option(help="Folder of Resemblyzer's wheel.")
    ] = Path("runs/teacher"),
    float32: Annotated[
        bool, typer.Option("--float32", help="As it was trained, 5.7 MB.")
    ] = False,
) -> None:
    """Write the voice encoder of `listen --tell-speakers`.

    From Resemblyzer's wheel, which `pip download --no-deps --dest runs/teacher
    resemblyzer==0.1.4` gets.
    """
    from export.voice import export_voice

    sha256 = export_voice(weights, out, eight_bits=not float32)
    sys.stdout.write(f"{out} written, {out.stat().st_size} bytes, sha256 {sha256}\n")


@app.command()
def adaptation_pack(
    checkpoint: Checkpoint,
    folder: Annotated[
        Path, typer.Argument(help="Bundle exported from it.", metavar="BUNDLE")
    ],
    corpora: Annotated[
        Path,
        typer.Option(
            envvar="SER_CORPORA", help="Folder of the corpora it was trained on."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="[default: adaptation, inside BUNDLE]")
    ] = None,
    hold_out: Annotated[
        int | None,
        typer.Option(
            help="Speakers of each corpus in the canary part. [default: one in eight]",
            min=1,
        ),
    ] = None,
) -> None:
    """Write what a bundle needs to adapt: weights, labelled windows, canary windows.

    Windows are features of speech, never audio. The canary part holds speakers that the
    network was not trained on, or speakers held out of the source part.
    """
    from export.pack import export_pack

    pack = export_pack(checkpoint, folder, corpora, out, hold_out)
    size = sum(path.stat().st_size for path in pack.folder.iterdir()) / 1e6
    source, canary = pack.manifest["source"], pack.manifest["canary"]
    sys.stdout.write(
        f"source: {source['windows']} windows of {len(source['speakers'])} speakers\n"
        f"canary: {canary['windows']} windows of {len(canary['speakers'])} speakers\n"
        f"{pack.folder}: {size:.1f} MB, sha256 {pack.sha256}\n"
    )


def main() -> int:
    arguments = sys.argv[1:]
    if arguments and arguments[0] not in (*COMMANDS, "--help"):
        arguments.insert(0, COMMANDS[0])
    try:
        status = app(
            args=arguments, prog_name="python -m export", standalone_mode=False
        )
    except SerStreamError as error:
        sys.stderr.write(f"export: error: {error}\n")
        return error.exit_status
    except OSError as error:
        sys.stderr.write(f"export: error: {error}\n")
        return 2
    except typer.TyperException as error:
        sys.stderr.write(f"export: error: {error.format_message()}\n")
        return 2
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
