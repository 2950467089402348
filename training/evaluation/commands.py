"""`python -m training` crossval, zero-shot, thresholds, stream-eval, adapt-eval."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_stream.errors import ConfigError
from training.engine.command_line import (
    Corpora,
    Limit,
    ModelName,
    Only,
    Results,
    names,
    say,
)
from training.recipe.commands import TrainingRun, training_command

if TYPE_CHECKING:
    from training.evaluation.loco import LocoRun

Checkpoint = Annotated[
    Path, typer.Argument(help="Of `python -m training train`.", exists=True)
]
Unheard = Annotated[
    list[str],
    typer.Option(
        "--unseen", help="A corpus that is not in its training; may be repeated."
    ),
]


@training_command
def crossval(run: TrainingRun, only: Only = None) -> None:
    """Leave-speakers-out UAR, WAR and calibration; resumable."""
    from training.evaluation.crossval import crossval

    settings = run.settings()
    folder = run.out or Path("runs") / f"{settings.name}-crossval"
    utterances, options = run.recordings(settings)
    result = crossval(utterances, settings, folder, options, only=only, say=say)
    if result is None:
        return
    metrics = result["metrics"]
    low, high = metrics["UAR_interval"]
    say(
        f"UAR {metrics['UAR']} (95 % interval {low} to {high}), WAR {metrics['WAR']}, "
        f"ECE {metrics['ECE']} ({metrics['ECE_perfect']} if perfect), "
        f"{metrics['n']} clips; all of it in "
        f"{folder / 'crossval.json'}"
    )


@training_command
def loco(
    run: TrainingRun,
    corpus: Annotated[
        list[str] | None,
        typer.Option(help="Score this one; may be repeated. [default: see below]"),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the trainings.")] = Path(
        "runs/loco"
    ),
    recentred: Annotated[
        bool,
        typer.Option(
            "--recentred",
            help="Measure what an unknown voice is taken for on the other corpora, by "
            "networks that lack one more: one training for each pair of corpora, too.",
        ),
    ] = False,
    svm: Annotated[
        bool,
        typer.Option(
            "--svm",
            help="openSMILE's ComParE with a linear SVM in the network's place; to "
            "--out, or to results/loco/compare-svm.",
        ),
    ] = False,
) -> None:
    """Leave one corpus out: UAR on what the recipe never heard; resumable.

    Left out in turn are those of emodb, ravdess, savee, casia and emotale that the
    configuration names; a --corpus that it does not name is scored with the network of
    all. Results go to --out, or to results/loco/NAME/seed-SEED, with --recentred to
    results/loco/NAME-recentred/seed-SEED.
    """
    from training.evaluation.loco import SCORED, loco, mean_line

    settings = run.settings()
    mine = [c.name for c in settings.corpora]
    left_out = corpus or [c for c in SCORED if c in mine]
    if svm:
        from training.evaluation.loco_svm import SCALINGS, loco_svm

        out = run.out or Path("results/loco/compare-svm")
        found = loco_svm(
            settings, run.corpora, left_out, Path("runs/functionals"), out, say=say
        )
        told = ", ".join(
            f"{scaling} {sum(of[scaling] for of in found.values()) / len(found):.1f}"
            for scaling in SCALINGS
        )
        say(f"mean UAR of {len(found)} corpora: scaled by {told}")
        return
    kind = "-recentred" if recentred else ""
    space = _loco_run(run, runs, kind, recentred=recentred)
    say(mean_line(loco(space, left_out, say=say)))


def _loco_run(run: TrainingRun, runs: Path, kind: str, *, recentred: bool) -> "LocoRun":
    from training.evaluation.loco import LocoRun

    settings = run.settings()
    seed = f"seed-{settings.seed}"
    _, options = run.recordings(settings)
    return LocoRun(
        settings,
        run.corpora,
        run.out or Path("results/loco") / f"{settings.name}{kind}" / seed,
        runs / settings.name / seed,
        options,
        recentred,
    )


@training_command
def told(
    run: TrainingRun,
    corpus: Annotated[
        list[str] | None,
        typer.Option(help="Score this one; may be repeated. [default: as `loco`]"),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the trainings.")] = Path(
        "runs/loco"
    ),
) -> None:
    """What is gained by what a network was told of its speakers; resumable.

    On corpora left out, with networks as those of `loco --recentred`: clips heard
    before, others in the room, enrolment, examples, and methods without labels. Results
    go to --out, or to results/loco/NAME-told/seed-SEED.
    """
    from training.evaluation.loco import SCORED
    from training.evaluation.told.run import lines, told

    mine = [c.name for c in run.settings().corpora]
    space = _loco_run(run, runs, "-told", recentred=True)
    for line in lines(told(space, corpus or [c for c in SCORED if c in mine], say=say)):
        say(line)


def zero_shot(
    model: Annotated[
        str, typer.Argument(help="A bundle, by name or folder, or a checkpoint.pt.")
    ],
    corpora: Corpora,
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            help="A corpus that is not in its training; may be repeated. "
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
    from training.engine.result_store import write_json
    from training.evaluation.risk_coverage import plot_risk_coverage
    from training.evaluation.zero_shot import run, table
    from training.evaluation.zero_shot.scored_model import load_scored_model

    scored = load_scored_model(model, crossval)
    cache = functionals if train_svm else None
    corpora_unseen = unseen or ["savee", "casia"]
    result, curves = run(scored, corpora, corpora_unseen, svm_cache=cache, say=say)
    say(table(result))
    if out is not None:
        write_json(out, result)
        plot_risk_coverage(curves, None, 1.0, out.with_suffix(".png"))
        say(f"all of it in {out}")


def recentre(
    checkpoint: Checkpoint,
    corpora: Corpora,
    unseen: Annotated[
        list[str] | None,
        typer.Option(help="A corpus that is not in its training; may be repeated."),
    ] = None,
    crossval: Annotated[
        Path | None,
        typer.Option(
            help="Or the folder of its `crossval`, if each fold leaves out a corpus."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint to write. [default: recentred.pt beside the other]"
        ),
    ] = None,
) -> None:
    """Measure, on corpora left out, the mean that stands for an unknown voice."""
    from training.evaluation.recentre import recentre, recentre_by_folds

    out = out or checkpoint.with_name("recentred.pt")
    if bool(unseen) == (crossval is not None):
        raise ConfigError("give either --unseen, once or more, or --crossval")
    if crossval is not None:
        moved = recentre_by_folds(checkpoint, corpora, crossval, out)
    else:
        moved = recentre(checkpoint, corpora, unseen or (), out)
    by = ", ".join(f"{x:+.2f}" for x in moved)
    say(f"{out}: an unknown voice's logits move by {by}")


def calibrate(
    checkpoint: Checkpoint,
    corpora: Corpora,
    unseen: Unheard,
    out: Annotated[
        Path | None,
        typer.Option(
            help="JSON to write, for `python -m export --crossval`. [default: "
            "calibration.json beside the checkpoint]"
        ),
    ] = None,
) -> None:
    """Fit temperatures, and when a network is uncertain, on two corpora or more."""
    from training.evaluation.calibrate import calibrate

    out = out or checkpoint.with_name("calibration.json")
    metrics = calibrate(checkpoint, corpora, unseen, out)["metrics"]
    say(
        f"UAR {metrics['UAR']}, ECE {metrics['ECE']} ({metrics['ECE_perfect']} if "
        f"perfect), {metrics['n']} clips; all of it in {out}"
    )


def thresholds(
    bundle: ModelName,
    corpora: Corpora,
    crossval: Annotated[
        Path | None, typer.Option(help="Folder of the bundle's `crossval`.")
    ] = None,
    unseen: Annotated[
        list[str] | None,
        typer.Option(help="Or a corpus that is not in its training; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="JSON to write, for `python -m export`.")
    ] = None,
    min_coverage: Annotated[
        float, typer.Option(help="Least share of speech with an emotion, 0 to 1.")
    ] = 0.72,
    max_flips: Annotated[
        float, typer.Option(help="Most flips of the emotion a minute.")
    ] = 3.0,
    seed: Annotated[int, typer.Option(help="Of the streams.", min=0)] = 7,
) -> None:
    """Choose the thresholds of a bundle on streams of speakers it never heard."""
    from ser_stream.tuning.search import Rule
    from training.engine.result_store import write_json
    from training.evaluation.streaming.thresholds import Question, choose_thresholds

    rule = Rule(min_coverage, max_flips)
    question = Question(bundle, crossval, tuple(unseen or ()), corpora, rule, seed)
    found = choose_thresholds(question)
    if out is not None:
        write_json(out, found)
    say(json.dumps(found, indent=1))


def stream_eval(
    bundle: ModelName,
    corpora: Corpora,
    crossval: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the bundle's `crossval`: whose speakers it held out are "
            "scored by the networks that held them out."
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
    limit: Limit = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print stream-eval.json, not a summary.")
    ] = False,
) -> None:
    """Measure a bundle on streams of new speakers; see docs/benchmark.md.

    Sections that are finished are read, not computed again.
    """
    from training.evaluation.streaming import SECTIONS, StreamEvalConfig, run
    from training.evaluation.streaming.summary import summary

    settings = StreamEvalConfig(
        model=bundle,
        corpora=corpora,
        crossval=crossval,
        unseen=tuple(unseen) if unseen else None,
        only=names(only, SECTIONS),
        out=out,
        hours=hours,
        seed=seed,
        limit=limit,
    )
    result, folder = run(settings)
    if as_json:
        say(json.dumps(result))
        return
    say(summary(result))
    say(f"all of it, with pictures, in {folder}")


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
    results: Results = Path("results"),
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
    limit: Limit = None,
    page: Annotated[
        Path,
        typer.Option(help="The page whose results section is written; not in a trial."),
    ] = Path("docs/adaptation.md"),
) -> int:
    """Does online adaptation help new speakers, and can it be made to harm?

    One JSON file for each finished experiment. Kill it when you like: the same command
    goes on where it was.
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
        only=names(only, PARTS),
        results=results,
        out=out,
        jobs=jobs,
        hours=hours,
        limit=limit,
        scope=scope or usual.scope,
        every_s=every_s or usual.every_s,
    )
    result, failed = run(settings, say)
    # A trial is no result.
    pages = [] if limit is not None else write_page(settings.folder, page)
    for text in [*lines(result), *pages]:
        say(text)
    return 1 if failed else 0
