"""`python -m training`: corpora, train, judge, reproduce; --help lists them all."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_stream.atomic_file import replace_file
from ser_stream.errors import SerStreamError

if TYPE_CHECKING:
    from ser_stream.pipeline.values import FloatArray
    from training.corpora import Utterance
    from training.recipe.config import TrainConfig

INTERRUPTED = 130

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
        help="Folder that holds the corpora: NAME/manifest.csv, an audformat database "
        "NAME/db.yaml, or the publisher's layout in casia/, emodb/, savee/, ravdess/.",
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

    return report(corpora, names or [], _say, as_json=as_json)


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
    from training.recipe.train import train as run

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
    from training.evaluation.crossval import crossval as run

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
        f"ECE {metrics['ECE']} ({metrics['ECE_perfect']} if perfect), "
        f"{metrics['n']} clips; all of it in "
        f"{folder / 'crossval.json'}"
    )


@app.command("emobox-joint")
def emobox_joint(
    config: Config,
    corpora: Corpora,
    out: Out = None,
    results: Annotated[Path, typer.Option(help="Where results go.")] = Path("results"),
    device: Device = "auto",
    threads: Threads = 0,
    epochs: Epochs = None,
    seed: Seed = None,
    only: Annotated[
        int | None,
        typer.Option(help="One fold alone, to share work between processes."),
    ] = None,
    own_epochs: Annotated[
        int,
        typer.Option(
            help="Go on for so many epochs on each scored corpus alone.", min=0
        ),
    ] = 0,
) -> None:
    """EmoBox's folds, one network for all corpora in each; resumable."""
    from training.paper.emobox_joint import run

    settings = _settings(config, epochs, seed)
    utterances, noises = _recordings(settings, corpora)
    run(
        utterances,
        settings,
        out or Path("runs") / f"{settings.name}-joint",
        results,
        noises=noises,
        device=device,
        threads=threads,
        only=only,
        own_epochs=own_epochs,
        say=_say,
    )
    _say("next: python -m training report")


@app.command()
def unseen(
    model: Annotated[
        str, typer.Argument(help="A bundle, by name or folder, or a checkpoint.pt.")
    ],
    corpora: Corpora,
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            help="A corpus the model never heard; may be repeated. "
            "[default: savee casia]"
        ),
    ] = None,
    train_svm: Annotated[
        bool,
        typer.Option(
            "--train-svm",
            help="Also openSMILE with an SVM, trained on the same clips as the model.",
        ),
    ] = False,
    functionals: Annotated[
        Path, typer.Option(help="Where openSMILE's features are kept.")
    ] = Path("runs/functionals"),
    crossval: Annotated[
        Path | None,
        typer.Option(help="crossval.json, for the calibration of a checkpoint."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="JSON to write; a picture of the same name beside it."),
    ] = None,
) -> None:
    """Zero-shot metrics on corpora that the model was not trained on."""
    from training.evaluation.risk_coverage import plot_risk_coverage
    from training.evaluation.zero_shot import run, table
    from training.evaluation.zero_shot.scored_model import load_scored_model

    judge = load_scored_model(model, crossval)
    cache = functionals if train_svm else None
    names = unseen or ["savee", "casia"]
    result, curves = run(judge, corpora, names, svm_cache=cache, say=_say)
    _say(table(result))
    if out is not None:
        replace_file(out, json.dumps(result, indent=1) + "\n")
        plot_risk_coverage(curves, None, 1.0, out.with_suffix(".png"))
        _say(f"all of it in {out}")


@app.command()
def reproduce(
    corpora: Corpora,
    table: Annotated[
        str,
        typer.Argument(
            help="1, 2, 3, 4, S3, S4 or S5 of the paper; emobox, loso, yardstick; all."
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
    results: Annotated[Path, typer.Option(help="Where results go.")] = Path("results"),
    runs: Annotated[
        Path, typer.Option(help="Where unfinished runs and features are kept.")
    ] = Path("runs/reproduce"),
    device: Device = "auto",
    jobs: Annotated[
        int, typer.Option(help="Processes; 0: one a core, or one on a GPU.", min=0)
    ] = 0,
    epochs: Epochs = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the cells that are missing.")
    ] = False,
) -> int:
    """Compute the cells of the paper's tables that are missing, most telling first.

    One JSON file for each finished fold. Kill it when you like: the same command goes
    on where it was.
    """
    from training.paper.reproduce.cells import choose
    from training.paper.reproduce.run_cell import is_done
    from training.paper.reproduce.runner import reproduce as run
    from training.paper.reproduce.workspace import Workspace

    space = Workspace(corpora, results, runs, device, epochs)
    cells = choose(
        table,
        protocol,
        seed or [98],
        systems=system or (),
        places=place or (),
        folds=fold or (),
    )
    if dry_run:
        missing = [cell for cell in cells if not is_done(cell, space)]
        for cell in missing:
            _say(str(cell))
        _say(f"{len(missing)} of {len(cells)} cells are missing")
        return 0
    failed = run(cells, space, jobs=jobs, say=_say)
    for line in failed:
        _say(f"failed: {line}")
    if not failed:
        _say("next: python -m training report")
    return 1 if failed else 0


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Of `reproduce`.")] = Path("results"),
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path(
        "docs/results.md"
    ),
) -> None:
    """Build the page of results, with the paper's tables and figures, from results/."""
    from training.protocols import PAPER_TABLES
    from training.report import build

    for line in build(results, out, PAPER_TABLES):
        _say(line)


@app.command()
def thresholds(
    bundle: Annotated[
        str, typer.Argument(help="Name of a packaged bundle, or a bundle's folder.")
    ],
    corpora: Corpora,
    crossval: Annotated[Path, typer.Option(help="Folder of the bundle's `crossval`.")],
    out: Annotated[
        Path | None, typer.Option(help="JSON to write, for `python -m export`.")
    ] = None,
    min_coverage: Annotated[
        float, typer.Option(help="Least share of speech with an emotion, 0 to 1.")
    ] = 0.72,
    max_flips: Annotated[
        float, typer.Option(help="Most flips of the emotion a minute.")
    ] = 1.8,
    seed: Annotated[int, typer.Option(help="Of the streams.", min=0)] = 7,
) -> None:
    """Choose the thresholds of a bundle on streams of speakers it did not hear."""
    from ser_stream.tuning.search import Rule
    from training.evaluation.streaming.thresholds import Question, choose_thresholds

    question = Question(bundle, crossval, corpora, Rule(min_coverage, max_flips), seed)
    text = json.dumps(choose_thresholds(question), indent=1)
    if out is not None:
        replace_file(out, text + "\n")
    _say(text)


@app.command("stream-eval")
def stream_eval(
    bundle: Annotated[
        str, typer.Argument(help="Name of a packaged bundle, or a bundle's folder.")
    ],
    corpora: Corpora,
    crossval: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the bundle's `crossval`: whose speakers it held out are "
            "judged by the networks that did not hear them."
        ),
    ] = None,
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            help="Corpus that the bundle was not trained on; may be repeated. "
            "[default: savee and casia, where they are]"
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="Some of levels,noise,early,changes,false-alarms,calibration."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the figures. [default: runs/stream-eval/NAME]"),
    ] = None,
    hours: Annotated[float, typer.Option(help="Of non-speech.")] = 3.0,
    seed: Annotated[int, typer.Option(help="Of streams and noise.", min=0)] = 98,
    limit: Annotated[
        int | None,
        typer.Option(help="At most so many clips of a speaker and emotion: a trial."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print stream-eval.json, not a summary.")
    ] = False,
) -> None:
    """Measure a bundle on streams of people it never heard; see docs/benchmark.md.

    Sections that are finished are read, not computed again.
    """
    import json

    from training.evaluation.streaming import SECTIONS, StreamEvalConfig
    from training.evaluation.streaming import run as run_sections
    from training.evaluation.streaming.summary import summary

    wanted = SECTIONS if only is None else tuple(x.strip() for x in only.split(","))
    settings = StreamEvalConfig(
        model=bundle,
        corpora=corpora,
        crossval=crossval,
        unseen=tuple(unseen) if unseen else None,
        only=wanted,
        out=out,
        hours=hours,
        seed=seed,
        limit=limit,
    )
    result, folder = run_sections(settings)
    if as_json:
        _say(json.dumps(result))
        return
    _say(summary(result))
    _say(f"all of it, with pictures, in {folder}")


@app.command("adapt-eval")
def adapt_eval(
    corpora: Corpora,
    pair: Annotated[
        list[str] | None,
        typer.Option(
            help="source-target, such as casia-emodb; may be repeated. [default: the "
            "six of CASIA, EmoDB and SAVEE]"
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="May be repeated. [default: 98 99]", min=0),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Some of gains,attacks,cost.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Where results go.")] = Path("results"),
    out: Annotated[
        Path, typer.Option(help="Where networks, packs and versions are kept.")
    ] = Path("runs/adapt-eval"),
    jobs: Annotated[int, typer.Option(help="Processes.", min=1)] = 2,
    hours: Annotated[float, typer.Option(help="Of each attack.")] = 1.0,
    scope: Annotated[
        str | None,
        typer.Option(help="What is adapted: whole or cheap. [default: the daemon's]"),
    ] = None,
    every_s: Annotated[
        float | None,
        typer.Option(
            help="New speech between two rounds, seconds. [default: the daemon's]"
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(help="At most so many clips of a speaker and emotion: a trial."),
    ] = None,
    page: Annotated[
        Path,
        typer.Option(help="The page whose results section is written; not in a trial."),
    ] = Path("docs/adaptation.md"),
) -> int:
    """Does online adaptation help people never heard, and can it be made to harm?

    One JSON file for each finished cell. Kill it when you like: the same command goes
    on where it was.
    """
    from ser_stream.adaptation.settings import AdaptConfig
    from training.evaluation.adaptation.page import lines, write_page
    from training.evaluation.adaptation.run import run
    from training.evaluation.adaptation.settings import (
        PAIRS,
        PARTS,
        SEEDS,
        AdaptEvalConfig,
    )

    usual = AdaptConfig()
    settings = AdaptEvalConfig(
        corpora=corpora,
        pairs=tuple(pair) if pair else PAIRS,
        seeds=tuple(seed) if seed else SEEDS,
        only=PARTS if only is None else tuple(x.strip() for x in only.split(",")),
        results=results,
        out=out,
        jobs=jobs,
        hours=hours,
        limit=limit,
        scope=scope or usual.scope,
        every_s=every_s or usual.every_s,
    )
    result, failures = run(settings, _say)
    # A trial is nobody's result.
    pages = [] if limit is not None else write_page(settings.folder, page)
    for text in [*lines(result), *pages]:
        _say(text)
    return 1 if failures else 0


@app.command()
def slim(
    checkpoint: Annotated[Path, typer.Argument(help="Of `train`.")],
    out: Annotated[Path, typer.Argument(help="File to write.")],
) -> None:
    """Keep of a checkpoint what export and fine-tuning need: no optimiser's state."""
    from training.engine.checkpoint import load_checkpoint, save_checkpoint

    saved = load_checkpoint(checkpoint)
    keys = ("epoch", "config", "revision", "weights", "speakers")
    kept = {key: saved[key] for key in keys if key in saved}
    save_checkpoint(out, kept)
    _say(f"{out}: {out.stat().st_size / 2**20:.1f} MB")


def _settings(path: Path, epochs: int | None, seed: int | None) -> "TrainConfig":
    from training.recipe.config import TrainConfig

    settings = TrainConfig.read(path)
    if epochs is not None:
        settings = replace(settings, epochs=epochs)
    return settings if seed is None else replace(settings, seed=seed)


def _recordings(
    settings: "TrainConfig", folder: Path
) -> tuple[list["Utterance"], list["FloatArray"]]:
    """The clips of the configured corpora, and the noise to mix under them."""
    from training.corpora import load_corpora
    from training.recipe.dataset import load_noises

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
