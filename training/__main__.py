"""`python -m training`: corpora, train, crossval."""

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_stream.errors import SerStreamError

if TYPE_CHECKING:
    from ser_stream.values import FloatArray
    from training.config import TrainConfig
    from training.corpora import Utterance

app = typer.Typer(
    help="Train and evaluate CPAC. Corpora are folders side by side in --corpora DIR.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Corpora = Annotated[
    Path,
    typer.Option(
        envvar="SER_CORPORA",
        help="Folder that holds the corpora: NAME/manifest.csv, or EmoDB's and "
        "RAVDESS's publishers' layouts in emodb/ and ravdess/.",
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="Folder of the run. [default: runs/NAME]")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(help="CPU threads; 0: all cores.")]
Epochs = Annotated[
    int | None, typer.Option(help="Instead of the configuration's.", min=1)
]
Seed = Annotated[int | None, typer.Option(help="Instead of the configuration's.")]
Config = Annotated[
    Path, typer.Argument(help="TOML file, e.g. training/configs/open.toml")
]


@app.command()
def corpora(
    names: Annotated[list[str], typer.Argument(help="Names of corpus folders.")],
    corpora: Corpora,
) -> None:
    """Count clips, speakers and emotions of corpora."""
    from training.corpora import load_corpora

    for name in names:
        utterances = load_corpora(corpora, [name])
        counts = Counter(u.emotion for u in utterances)
        parts = ", ".join(f"{label} {n}" for label, n in sorted(counts.items()))
        speakers = len({u.speaker for u in utterances})
        _say(f"{name}: {len(utterances)} clips, {speakers} speakers: {parts}")


@app.command()
def train(
    config: Config,
    corpora: Corpora,
    out: Out = None,
    device: Device = "auto",
    threads: Threads = 0,
    epochs: Epochs = None,
    seed: Seed = None,
) -> None:
    """Train one network on all speakers; goes on where a killed run stopped."""
    from training.loop import train as run

    settings = _settings(config, epochs, seed)
    utterances, noises = _recordings(settings, corpora)
    path = run(
        utterances,
        settings,
        out or Path("runs") / settings.name,
        noises=noises,
        device=device,
        threads=threads,
    )
    _say(f"{path}: epoch {settings.epochs}; next: python -m export {path} DIR")


@app.command()
def crossval(
    config: Config,
    corpora: Corpora,
    out: Out = None,
    device: Device = "auto",
    threads: Threads = 0,
    epochs: Epochs = None,
    seed: Seed = None,
    only: Annotated[
        int | None,
        typer.Option(help="One fold alone, to share work between processes."),
    ] = None,
) -> None:
    """Leave-speakers-out UAR, WAR and calibration; resumable."""
    from training.crossval import crossval as run

    settings = _settings(config, epochs, seed)
    folder = out or Path("runs") / f"{settings.name}-crossval"
    utterances, noises = _recordings(settings, corpora)
    result = run(
        utterances,
        settings,
        folder,
        noises=noises,
        device=device,
        threads=threads,
        only=only,
        say=_say,
    )
    if result is None:
        return
    metrics = result["metrics"]
    low, high = metrics["UAR_interval"]
    _say(
        f"UAR {metrics['UAR']} (95 % interval {low} to {high}), WAR {metrics['WAR']}, "
        f"ECE {metrics['ECE']}, {metrics['n']} clips; all of it in "
        f"{folder / 'crossval.json'}"
    )


@app.command()
def slim(
    checkpoint: Annotated[Path, typer.Argument(help="Of `train`.")],
    out: Annotated[Path, typer.Argument(help="File to write.")],
) -> None:
    """Keep of a checkpoint what export and fine-tuning need: no optimiser's state."""
    from training.checkpoint import load_checkpoint, save_checkpoint

    saved = load_checkpoint(checkpoint)
    keys = ("epoch", "config", "revision", "weights", "speakers")
    kept = {key: saved[key] for key in keys if key in saved}
    save_checkpoint(out, kept)
    _say(f"{out}: {out.stat().st_size / 2**20:.1f} MB")


def _settings(path: Path, epochs: int | None, seed: int | None) -> "TrainConfig":
    from training.config import TrainConfig

    settings = TrainConfig.read(path)
    if epochs is not None:
        settings = replace(settings, epochs=epochs)
    return settings if seed is None else replace(settings, seed=seed)


def _recordings(
    settings: "TrainConfig", folder: Path
) -> tuple[list["Utterance"], list["FloatArray"]]:
    """The clips of the configured corpora, and the noise to mix under them."""
    from training.corpora import load_corpora
    from training.dataset import load_noises

    utterances = load_corpora(folder, [c.name for c in settings.corpora])
    return utterances, load_noises(folder / settings.noise) if settings.noise else []


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run, and turn the errors a user can mend into one line."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = app(standalone_mode=False)
    except SerStreamError as error:
        sys.stderr.write(f"training: error: {error}\n")
        return error.exit_status
    except typer.TyperException as error:
        sys.stderr.write(f"training: error: {error.format_message()}\n")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("training: stopped; the same command goes on from here\n")
        return 130
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
