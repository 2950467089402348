"""openSMILE's ComParE and a linear SVM beside `loco`: the same corpora left out."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.errors import ConfigError, SourceError
from training.baselines.folds import standardised_by_group
from training.baselines.functionals import functionals
from training.baselines.svm import GRID, choose_c, fit_predict
from training.corpora import Utterance, load_corpora
from training.corpora.utterance import corpus_folder
from training.engine.git_revision import git_revision
from training.engine.result_store import Result, write_json
from training.evaluation.clip_steps import of_labels
from training.evaluation.loco import check_left_out
from training.evaluation.metrics import by_class
from training.recipe.config import TrainConfig
from training.recipe.dataset import taught

SCALINGS = {
    "training": "features standardised by the training clips",
    "speaker": "features of every speaker standardised by that speaker's clips, those "
    "of the scored corpus too (all of them, without labels)",
}
"""How features of one corpus are made comparable with another's."""


def loco_svm(
    config: TrainConfig,
    corpora: Path,
    names: Sequence[str],
    cache: Path,
    out: Path,
    *,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, dict[str, float]]:
    """Leave each corpus out of the SVM's training, and score it, unless that is done.

    C is chosen by training speakers held out. CREMA-D's clips of two classes cannot be
    masked for an SVM, so a corpus with `only` stays out, as one without labels does.

    Args:
        config: the recipe, for corpora and labels.
        corpora: folder with them.
        names: corpora to leave out in turn.
        cache: folder in which openSMILE's features are kept.
        out: folder for one JSON a corpus.
        say: told a line for each corpus.

    Returns:
        By corpus, UAR in percent by scaling.

    Raises:
        ConfigError: if nothing is left to train on or to score, or a result of other
            corpora or labels is there.
        SourceError: if a corpus is not there.
    """
    whole = [c for c in config.corpora if not (c.only or c.unlabelled)]
    check_left_out([c.name for c in whole], names)
    found: dict[str, dict[str, float]] = {}
    for name in names:
        others = tuple(c for c in whole if c.name != name)
        protocol = (
            f"trained on {', '.join(c.name for c in others)}; clips of other classes "
            f"than {', '.join(config.labels)} dropped; C chosen by training speakers"
        )
        path = out / f"{corpus_folder(name)}.json"
        result = _kept(path, protocol)
        if result is None:
            clips = load_corpora(corpora, [c.name for c in others])
            train = taught(clips, replace(config, corpora=others))
            test = of_labels(load_corpora(corpora, [name]), name, config.labels)
            result = {
                "protocol": protocol,
                "revision": git_revision(),
                "scalings": SCALINGS,
                "n": len(test),
                **_scored(train, test, config.labels, cache),
            }
            write_json(path, result)
        found[name] = {scaling: result[scaling]["UAR"] for scaling in SCALINGS}
        told = ", ".join(f"{k} {v}" for k, v in found[name].items())
        say(f"{name}: UAR scaled by {told}")
    return found


def _kept(path: Path, protocol: str) -> Result | None:
    """The result in a file: its protocol names all that decides it."""
    if not path.exists():
        return None
    try:
        result: Result = json.loads(path.read_text(encoding="utf-8"))
        before = result["protocol"]
        _ = [result[scaling]["UAR"] for scaling in SCALINGS]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path} is no result of `loco --svm`; delete it or move it ({error!r})"
        ) from None
    if before != protocol:
        raise ConfigError(
            f"{path} was made with another configuration ({before} there, {protocol} "
            "now); delete it, or give another --out"
        )
    return result


def _scored(
    train: Sequence[Utterance],
    test: Sequence[Utterance],
    labels: Sequence[str],
    cache: Path,
) -> dict[str, dict[str, Any]]:
    x, test_x = (functionals(u, "compare", cache) for u in (train, test))
    y = np.array([labels.index(u.emotion) for u in train], np.int64)
    truth = [labels.index(u.emotion) for u in test]
    people = [u.person for u in train]
    found = {}
    for scaling in SCALINGS:
        scaled, scaled_test = x, test_x  # the SVM does the rest
        if scaling == "speaker":
            scaled = standardised_by_group(x, people)
            scaled_test = standardised_by_group(test_x, [u.person for u in test])
        c = choose_c(scaled, y, people, GRID)
        predicted = fit_predict(scaled, y, scaled_test, c).tolist()
        recall = by_class(truth, predicted, labels)["recall"]
        known = [x for x in recall.values() if x is not None]
        uar = round(float(np.mean(known)), 1)
        found[scaling] = {"UAR": uar, "C": c, "recall": recall}
    return found
