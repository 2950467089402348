"""Leave-speakers-out cross-validation of a configuration, resumable by fold."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.errors import ConfigError
from ser_stream.pipeline.geometry import CPAC
from training.corpora import Utterance
from training.corpora.clips_hash import clips_hash
from training.engine.checkpoint import load_checkpoint
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result, ResultStore, write_json
from training.engine.run_experiments import chosen, each_result
from training.evaluation.calibration import Calibration, fit_calibration
from training.evaluation.clip_steps import (
    ClipSteps,
    TorchRecognizer,
    described,
    run_clips,
)
from training.evaluation.metrics import ScoredClip, outcomes, report
from training.evaluation.risk_coverage import (
    RULE,
    choose_uncertain,
    curve,
    plot_risk_coverage,
)
from training.recipe.config import CORPORA, TrainConfig
from training.recipe.dataset import taught
from training.recipe.model import build_model
from training.recipe.train import TrainOptions, train


def speaker_folds(
    utterances: Sequence[Utterance], corpus: str, n_folds: int
) -> list[list[str]]:
    """Split a corpus's speakers into groups, each mixed by sex.

    Speakers are sorted by sex, then dealt out, so the split needs no seed. Unnamed ones
    are in no group: any two of their clips may be one person's.
    """
    sex = {u.speaker: u.sex for u in utterances if u.corpus == corpus and u.named}
    order = sorted(sex, key=lambda speaker: (sex[speaker], speaker))
    return [sorted(order[i::n_folds]) for i in range(n_folds)]


def held_out_groups(
    utterances: Sequence[Utterance], config: TrainConfig
) -> list[list[str]]:
    """Speakers that each fold leaves out, as `corpus/speaker`: group k of each corpus.

    With `held_out = "corpora"` all of one corpus, unnamed ones too. A corpus that
    speaks of some classes only cannot be scored; it stays in training, and so do clips
    of unnamed speakers where speakers are held out.

    Raises:
        ConfigError: if no corpus has all labels, one of those that have names no
            speaker, or there are fewer speakers than folds, or fewer than two corpora.
    """
    if config.held_out == CORPORA:
        return _whole_corpora(utterances, config)
    groups: list[list[str]] = [[] for _ in range(config.folds)]
    for corpus in scored_corpora(config):
        of_corpus = speaker_folds(utterances, corpus, config.folds)
        if not any(of_corpus):
            raise ConfigError(
                f"{corpus} names no speaker, so none can be held out; give it `only`, "
                "and it is in training and not scored"
            )
        for group, speakers in zip(groups, of_corpus, strict=True):
            group += [f"{corpus}/{speaker}" for speaker in speakers]
    if not all(groups):
        n = sum(len(group) for group in groups)
        raise ConfigError(
            f"folds is {config.folds}, but the corpora that have all labels "
            f"({', '.join(scored_corpora(config)) or 'none'}) have {n} speakers"
        )
    return groups


def _whole_corpora(
    utterances: Sequence[Utterance], config: TrainConfig
) -> list[list[str]]:
    names = scored_corpora(config)
    if len(names) < 2:
        raise ConfigError(
            f"held_out is {CORPORA!r}, which needs two corpora or more that have all "
            f"labels; there is {', '.join(names) or 'none'}"
        )
    return [
        sorted({u.person for u in utterances if u.corpus == name}) for name in names
    ]


def scored_corpora(config: TrainConfig) -> list[str]:
    """The corpora that may speak of all labels."""
    return [
        c.name
        for c in config.corpora
        if set(config.labels) <= set(c.classes(config.labels))
    ]


@dataclass(frozen=True, slots=True)
class CrossvalRun:
    """The clips of one cross-validation, and where its folds go."""

    utterances: Sequence[Utterance]
    settings: TrainConfig
    out: Path
    options: TrainOptions

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.out, self.out, "crossval", option="--out")


@dataclass(frozen=True, slots=True)
class CrossvalFold(Experiment[CrossvalRun]):
    """Training without some speakers, and every step of their clips."""

    number: int
    """From 1."""
    speakers: tuple[str, ...]
    """The held-out speakers, as `corpus/speaker`."""

    @property
    def name(self) -> str:
        return f"fold-{self.number}/steps"

    def lock(self, space: CrossvalRun) -> Path:
        return space.out / f"fold-{self.number}"

    def config(self, space: CrossvalRun) -> Result:
        return space.settings.to_dict()

    def today(self, stored: Result) -> Result:
        """Folds of earlier versions lack what came later."""
        return TrainConfig.from_dict(stored).to_dict()

    def clips(self, space: CrossvalRun) -> str:
        """See `Experiment`: those that it learns, and those that it scores."""
        groups = self.training(space), self.held_out(space)
        return clips_hash(*(taught(group, space.settings) for group in groups))

    def compute(self, space: CrossvalRun, progress: Progress) -> Result:
        config = space.settings
        named = replace(config, name=f"{config.name}-fold-{self.number}")
        checkpoint = train(self.training(space), named, self.lock(space), space.options)
        model, _ = build_model(load_checkpoint(checkpoint))
        recognizer = TorchRecognizer(model, config.labels)
        steps = run_clips(
            recognizer, config.front_end, self.held_out(space), space.options.columns
        )
        return {"clips": [asdict(clip) for clip in steps]}

    def training(self, space: CrossvalRun) -> list[Utterance]:
        return [u for u in space.utterances if u.person not in self.speakers]

    def held_out(self, space: CrossvalRun) -> list[Utterance]:
        return [u for u in space.utterances if u.person in self.speakers]


def crossval(
    utterances: Sequence[Utterance],
    config: TrainConfig,
    out: Path,
    options: TrainOptions,
    *,
    only: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Result | None:
    """Train without each group of speakers of all corpora, and score on it.

    Folds that are finished are read, not computed again. The last epoch is scored;
    nothing is chosen on the held-out speakers but calibration and the threshold of
    `uncertain`, which for scoring a fold are chosen on the others.

    With `only`, from 1, that fold alone is computed, to share the work between
    processes.

    Returns:
        What is also written to `out/crossval.json`, beside `risk_coverage.png`; None
        with `only`.

    Raises:
        ConfigError: if a fold was made with another configuration or of other clips,
            or the speakers do not suffice.
    """
    groups = held_out_groups(utterances, config)
    space = CrossvalRun(utterances, config, out, options)
    every = [CrossvalFold(i + 1, tuple(group)) for i, group in enumerate(groups)]
    found: dict[int, Result] = {}
    for fold, result in each_result(chosen(every, only), space):
        found[fold.number] = result or {}
        held_out = ", ".join(fold.speakers)
        say(f"fold {fold.number} of {len(groups)}: held out {held_out}")
    if only is not None:
        return None
    folds = [_clips(found[fold.number], fold.held_out(space)) for fold in every]
    revisions = {result["revision"] for result in found.values()}
    result = {
        "protocol": _protocol(config),
        "folds": groups,
        "config": config.to_dict(),
        "revisions": sorted(revisions),
        **evaluated(
            folds,
            config.labels,
            out / "risk_coverage.png",
            config.model.geometry.max_columns,
        ),
    }
    write_json(out / "crossval.json", result)
    return result


def evaluated(
    folds: Sequence[Sequence[ClipSteps]],
    labels: Sequence[str],
    plot: Path,
    longest: int = CPAC.max_columns,
) -> dict[str, Any]:
    """Calibration and threshold of all folds, and metrics where neither saw the clip.

    `folds` are the held-out clips of each, `plot` is a picture of the risk-coverage
    curve to write, `longest` the columns in the longest window.

    Returns:
        `temperatures`, `clip_temperature`, `thresholds`, `metrics` and `fold_war`.
    """
    calibration, uncertain = _chosen([clip for fold in folds for clip in fold], longest)
    scored = []
    for i, fold in enumerate(folds):
        others = [c for j, f in enumerate(folds) if j != i for c in f]
        without = _chosen(others, longest)
        scored.append([ScoredClip.of(clip, *without) for clip in fold])
    every = [clip for fold in scored for clip in fold]
    right = [[c.predicted(len(labels)) == c.clip.truth for c in f] for f in scored]
    metrics = report(every, labels, uncertain)
    curves = {"all": curve(*outcomes(every))}
    for corpus in metrics["corpora"] if len(metrics["corpora"]) > 1 else ():
        curves[corpus] = curve(*outcomes([s for s in every if s.clip.corpus == corpus]))
    coverage = metrics["steps"].get("coverage", 100.0) / 100
    plot_risk_coverage(curves, uncertain, coverage, plot)
    return {
        "temperatures": list(calibration.temperatures),
        "clip_temperature": calibration.clip_temperature,
        "thresholds": {"uncertain": uncertain},
        "metrics": metrics,
        # None of a fold whose speakers have no clip of the labels.
        "fold_war": [
            round(100 * float(np.mean(of_fold)), 1) if of_fold else None
            for of_fold in right
        ],
    }


def _chosen(clips: Sequence[ClipSteps], longest: int) -> tuple[Calibration, float]:
    calibration = fit_calibration(clips, longest)
    scored = [ScoredClip.of(clip, calibration, 0.0) for clip in clips]
    return calibration, choose_uncertain(*outcomes(scored))


def _protocol(config: TrainConfig) -> str:
    scored = scored_corpora(config)
    partial = [c for c in config.corpora if c.name not in scored]
    kept = "".join(
        f"; {c.name} ({f'{taught} only' if taught else 'without labels'}) is in "
        "training in every fold and not scored"
        for c in partial
        for taught in [", ".join(c.classes(config.labels))]
    )
    if config.held_out == CORPORA:
        by = f"leave-one-corpus-out on {', '.join(scored)}"
    else:
        by = (
            f"leave-speakers-out on {', '.join(scored)}: {config.folds} folds of "
            "speakers, mixed by sex, each fold of all these corpora"
        )
    return (
        f"{by}{kept}; whole clips through the "
        "streaming pipeline; last epoch, nothing selected on held-out speakers; "
        f"calibration and threshold from the other folds; uncertain: {RULE}; that "
        "a step weighs the square of its window in a clip was chosen on held-out "
        "speakers of EmoDB, where all steps alike gave a UAR of 73.4 instead of 77.4"
    )


def _clips(fold: Result, held_out: Sequence[Utterance]) -> list[ClipSteps]:
    # Folds of earlier versions do not say of what corpus, sex and language a clip is.
    known = {u.name: described(u) for u in held_out}
    return [
        ClipSteps(**{**known.get(clip["name"], {}), **clip}) for clip in fold["clips"]
    ]
