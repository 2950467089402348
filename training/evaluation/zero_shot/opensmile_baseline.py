"""openSMILE's ComParE functionals and a linear SVM, on the clips the model learned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.baselines.folds import standardised, standardised_by_group
from training.baselines.functionals import functionals
from training.baselines.svm import GRID, Ints, choose_c, fit_predict
from training.corpora import Utterance, load_corpora
from training.evaluation.bootstrap import Counts
from training.evaluation.metrics import by_class
from training.evaluation.zero_shot.scored_model import ScoredModel

SCALINGS = {
    "source-scale": "features standardised by the training clips",
    "own-scale": (
        "features of every corpus standardised by that corpus itself, those of the "
        "scored one too (without its labels)"
    ),
}
"""How features of one corpus are made comparable with another's."""


def training_clips(model: ScoredModel, folder: Path) -> list[Utterance]:
    """The clips that the model was trained on: its corpora, speakers and classes.

    Raises:
        SourceError: if one of its corpora is not in `folder`.
    """
    return [
        u
        for u in load_corpora(folder, [c for c, of in model.corpora.items() if of])
        if u.person in model.speakers and u.emotion in model.corpora[u.corpus]
    ]


def opensmile_svm(
    train: Sequence[Utterance],
    test: Sequence[Utterance],
    ours: Sequence[int],
    labels: Sequence[str],
    cache: Path,
) -> dict[str, Any]:
    """The same corpus scored by the SVM, in both scalings.

    C is chosen by training speakers held out; nothing by the scored corpus. All clips
    must have one of the labels; `ours` is the model's prediction for each of `test`.

    Returns:
        By name of the scaling: `UAR`, `WAR` and their intervals, `recall`,
        `confusion_matrix`, `C`, and `lead`: by how many points of UAR the model is
        ahead, with the paired interval over speakers.
    """
    x, test_x = (functionals(u, "compare", cache) for u in (train, test))
    y = np.array([labels.index(u.emotion) for u in train], np.int64)
    truth = [labels.index(u.emotion) for u in test]
    speakers = [u.speaker for u in test]
    groups = [f"{u.corpus}/{u.speaker}" for u in train]
    theirs = Counts.of(truth, ours, speakers, len(labels))
    found = {}
    for name in SCALINGS:
        scaled, test_scaled = x, test_x
        if name == "own-scale":
            scaled = standardised_by_group(x, [u.corpus for u in train])
            test_scaled = standardised(test_x, test_x)
        c = choose_c(scaled, y, groups, GRID)
        predicted = fit_predict(scaled, y, test_scaled, c)
        found[name] = {"C": c, **_scores(truth, predicted, speakers, labels, theirs)}
    return found


def _scores(
    truth: Sequence[int],
    predicted: Ints,
    speakers: Sequence[str],
    labels: Sequence[str],
    model: Counts,
) -> dict[str, Any]:
    counts = Counts.of(truth, predicted.tolist(), speakers, len(labels))
    lead = model.value("UAR") - counts.value("UAR")
    drawn = model.draws("UAR") - counts.draws("UAR")
    return {
        **counts.described(),
        "lead": round(lead, 1),
        "lead_interval": counts.bounds(drawn),
        **by_class(truth, predicted.tolist(), labels),
    }
