"""`python -m training` corpora, train, slim; the options of every training run."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_stream.errors import ConfigError
from training.engine.command_line import Corpora, Device, Epochs, say

if TYPE_CHECKING:
    from ser_stream.pipeline.values import FloatArray
    from training.corpora import Utterance
    from training.recipe.config import TrainConfig
    from training.recipe.train import TrainOptions

Threads = Annotated[int, typer.Option(help="CPU threads; 0: all cores.", min=0)]


@dataclass(frozen=True)
class TrainingRun:
    """The options of a command that trains by a configuration."""

    config: Annotated[
        Path, typer.Argument(help="TOML file, e.g. training/configs/open.toml")
    ]
    corpora: Corpora
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run. [default: runs/NAME]")
    ] = None
    device: Device = "auto"
    threads: Threads = 0
    epochs: Epochs = None
    seed: Annotated[
        int | None, typer.Option(help="Instead of the configuration's.", min=0)
    ] = None

    def settings(self) -> "TrainConfig":
        """The configuration, with what the options put in its place."""
        from training.recipe.config import TrainConfig

        settings = TrainConfig.read(self.config)
        if self.epochs is not None:
            settings = replace(settings, epochs=self.epochs)
        return settings if self.seed is None else replace(settings, seed=self.seed)

    def recordings(
        self, settings: "TrainConfig"
    ) -> tuple[list["Utterance"], "TrainOptions"]:
        """The clips of the configured corpora; the noise under them, and the rest."""
        from training.corpora import load_corpora

        utterances = load_corpora(self.corpora, [c.name for c in settings.corpora])
        return utterances, _options(settings, self.corpora, self.device, self.threads)


def _options(
    settings: "TrainConfig", corpora: Path, device: str, threads: int
) -> "TrainOptions":
    from training.recipe.train import TrainOptions

    noises = _noises(corpora, settings.noise) if settings.noise else {}
    return TrainOptions(noises, device, threads)


def _noises(corpora: Path, name: str) -> "dict[str, FloatArray]":
    from training.recipe.config import NOISE
    from training.recipe.noise_recordings import load_noises

    folder = corpora / name
    noises = load_noises(folder)
    if not noises and name != NOISE:
        raise ConfigError(
            f"noise is {name!r}, but {folder} holds no noise recording without a "
            'voice; allowed: a folder beside the corpora that does, or "" for '
            "synthetic noise alone"
        )
    if not noises:
        sys.stderr.write(
            f"training: no noise recordings in {folder}: synthetic noise alone is "
            "mixed in\n"
        )
    return noises


def training_command(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose first argument is a `TrainingRun`, the options of one."""
    shared = inspect.signature(TrainingRun).parameters
    _, *own = inspect.signature(command).parameters.values()

    @wraps(command)
    def with_options(**given: Any) -> None:
        run = TrainingRun(**{name: given.pop(name) for name in shared})
        command(run, **given)

    every = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*shared.values(), *own)
    ]
    with_options.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in every}
    return with_options


def check_corpora(
    corpora: Corpora,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of corpus folders, or tables NAME.csv. "
            "[default: casia emodb savee ravdess]"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, by corpus.")
    ] = False,
) -> int:
    """Compare corpora with their published counts; name what is missing or broken.

    Exit status 1 if clips are missing, doubled, unreadable, or more than published.
    """
    from training.corpora.report import report

    return report(corpora, names or [], say, as_json=as_json)


@training_command
def train(run: TrainingRun) -> None:
    """Train one network on all speakers; goes on where a killed run stopped."""
    from training.recipe.train import train

    settings = run.settings()
    utterances, options = run.recordings(settings)
    path = train(utterances, settings, run.out or Path("runs") / settings.name, options)
    say(f"{path}: epoch {settings.epochs}; next: python -m export {path} DIR")


def features(
    checkpoint: Annotated[Path, typer.Argument(help="Of `train`.")],
    corpora: Corpora,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File for `python -m export`. [default: features.npz beside the other]"
        ),
    ] = None,
    threads: Threads = 0,
) -> None:
    """Measure where the features of the training speech lie, for bundles that learn."""
    from training.engine.checkpoint import load_checkpoint
    from training.recipe.config import TrainConfig
    from training.recipe.feature_space import feature_space

    settings = TrainConfig.from_dict(load_checkpoint(checkpoint)["config"])
    options = _options(settings, corpora, "cpu", threads)
    found = feature_space(checkpoint, corpora, options)
    out = out or checkpoint.with_name("features.npz")
    found.write(out)
    say(f"{out}: typical distance {found.familiarity.typical:.2f}")


def slim(
    checkpoint: Annotated[Path, typer.Argument(help="Of `train`.")],
    out: Annotated[Path, typer.Argument(help="File to write.")],
) -> None:
    """Keep of a checkpoint what export and fine-tuning need: no optimiser's state."""
    from training.engine.checkpoint import load_checkpoint, save_checkpoint
    from training.recipe.model import slimmed

    save_checkpoint(out, slimmed(load_checkpoint(checkpoint)))
    say(f"{out}: {out.stat().st_size / 2**20:.1f} MB")
