"""Zero-shot metrics of a model: on corpora that are not in its training."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ser_stream.errors import ConfigError
from training.corpora import Utterance, load_corpora
from training.engine.git_revision import git_revision
from training.evaluation.clip_steps import of_labels, run_clips
from training.evaluation.loco import SCORED
from training.evaluation.metrics import ScoredClip, by, outcomes, report
from training.evaluation.risk_coverage import Curve, curve
from training.evaluation.zero_shot.opensmile_baseline import (
    SCALINGS,
    opensmile_svm,
    training_clips,
)
from training.evaluation.zero_shot.scored_model import ScoredModel

PER_SPEAKER = ("n", "n_without_speech", "UAR", "WAR", "recall")


def run(
    model: ScoredModel,
    folder: Path,
    names: Sequence[str],
    *,
    svm_cache: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Score a model on whole corpora, clip by clip, through the streaming pipeline.

    With `svm_cache`, a folder of functionals, openSMILE and an SVM are trained beside
    it.

    Returns:
        What is written as JSON, and the risk-coverage curve of each corpus.

    Raises:
        ConfigError: if the model was trained on one of them, or knows none of its
            classes.
        SourceError: if a corpus is not there, or a recording cannot be read.
        MissingLibraryError: with `svm_cache`, if the extra `baselines` is missing.
    """
    if trained_on := sorted(set(names) & set(model.corpora)):
        raise ConfigError(
            f"{', '.join(trained_on)}: the model was trained on it; unseen corpora are "
            "others; `python -m training crossval` scores its own"
        )
    found, curves = {}, {}
    for name in names:
        say(f"{name}: listening")
        utterances = load_corpora(folder, [name])
        kept = of_labels(utterances, name, model.labels)
        scored = [
            ScoredClip.of(clip, model.calibration, model.uncertain)
            for clip in run_clips(model.recognizer, model.front_end, kept)
        ]
        found[name] = _of_corpus(scored, utterances, model)
        if any(len(one.steps) for one in scored):
            curves[name] = curve(*outcomes(scored))
        if svm_cache is not None:
            say(f"{name}: openSMILE and an SVM")
            predicted = [one.predicted(len(model.labels)) for one in scored]
            train = training_clips(model, folder)
            found[name]["svm"] = opensmile_svm(
                train, kept, predicted, model.labels, svm_cache
            )
    result = {
        "model": model.identity,
        "trained_on": {corpus: list(of) for corpus, of in model.corpora.items()},
        "speakers": len(model.speakers),
        "labels": list(model.labels),
        "fitted_to": sorted(model.fitted_to.intersection(names)),
        "protocol": _protocol(model, names),
        "revision": git_revision(),
        "corpora": found,
    }
    if svm_cache is not None:
        result["svm"] = {
            "features": "openSMILE ComParE 2016 functionals",
            "classifier": "linear SVM, balanced, C by training speakers held out",
            "scalings": SCALINGS,
        }
    return result, curves


def _protocol(model: ScoredModel, names: Sequence[str]) -> str:
    looked_at = [name for name in names if name in SCORED]
    fitted = [name for name in names if name in model.fitted_to]
    return (
        "corpora that are not in training"
        + f"; looked at in development: {', '.join(looked_at)}" * bool(looked_at)
        + f"; calibration, or what an unknown voice is taken for, was measured on "
        f"{', '.join(fitted)}, too, which flatters there"
        * bool(fitted)
        + "; whole clips through the streaming pipeline, gate and all (a clip without "
        f"speech is wrong); clips of other classes than {', '.join(model.labels)} "
        "dropped, calm too; intervals by bootstrap over speakers"
    )


def _of_corpus(
    scored: Sequence[ScoredClip], utterances: Sequence[Utterance], model: ScoredModel
) -> dict[str, Any]:
    metrics = report(scored, model.labels, model.uncertain)
    del metrics["corpora"]
    metrics["speakers"] = {
        name: {key: of_one[key] for key in PER_SPEAKER}
        for name, of_one in by(scored, model.labels, "speaker").items()
    }
    others = Counter(u.emotion for u in utterances if u.emotion not in model.labels)
    metrics["dropped"] = dict(sorted(others.items()))
    return metrics
