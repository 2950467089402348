"""One fold of a protocol with a classical system: utterances -> predicted classes."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.errors import ConfigError
from training.baselines.functionals import functionals
from training.baselines.nmftsl import (
    UNLABELLED,
    Codes,
    NmftslConfig,
    classify,
    nmftsl,
    unit_range,
)
from training.baselines.svm import GRID, Features, Ints, choose_c, fit_predict, uar
from training.corpora import Utterance
from training.protocols.cross import held_out_speakers
from training.protocols.fold import Fold

TRANSFER = (0.003, 0.01, 0.03, 0.1)
DISCRIMINATION = (0.003, 0.01, 0.03)
COSTS = (1e-3, 1e-2, 1e-1)
"""What `run_nmftsl` chooses from: weights of the two terms, and C of the SVM."""


def run_compare_svm(
    utterances: Sequence[Utterance],
    fold: Fold,
    labels: Sequence[str],
    cache: Path,
    seed: int,
    feature_set: str,
    own_scale: bool = False,
) -> dict[str, Any]:
    """Functionals of openSMILE and a linear SVM, trained on `fold.train` alone.

    C is chosen within those clips, by speakers held out; validation clips have no part
    in it.

    Args:
        utterances: of the experiment; the fold's indices point into it.
        fold: what is trained on and what is scored.
        labels: names of the classes, in the order of their indices.
        cache: folder of functionals.
        seed: of the inner folds where all training clips are of one speaker.
        feature_set: `compare` or `egemaps`.
        own_scale: across corpora, standardise each by its own mean and deviation, the
            target by that of `fold.adapt`; else all by the training clips'.

    Returns:
        `config`, `predicted` (class indices, as `fold.test`) and `C`.

    Raises:
        ConfigError: if a training clip has none of the labels, or all have the same.
        SourceError: if a recording cannot be read.
        MissingLibraryError: if opensmile or scikit-learn is not installed.
    """
    x = functionals(utterances, feature_set, cache)
    train, test = list(fold.train), list(fold.test)
    y = _classes(utterances, train, labels)
    train_x, test_x = x[train], x[test]
    if own_scale and fold.adapt:
        train_x = standardised(train_x, train_x)
        test_x = standardised(test_x, x[list(fold.adapt)])
    c = choose_c(train_x, y, [utterances[i].speaker for i in train], GRID, seed)
    return {
        "config": {
            "features": feature_set,
            "classifier": "linear SVM",
            "grid": list(GRID),
            "own_scale": own_scale and bool(fold.adapt),
        },
        "predicted": fit_predict(train_x, y, test_x, c).tolist(),
        "C": c,
    }


def run_nmftsl(
    utterances: Sequence[Utterance],
    fold: Fold,
    labels: Sequence[str],
    cache: Path,
    seed: int,
    feature_set: str = "egemaps",
) -> dict[str, Any]:
    """NMFTSL from the source, `fold.train`, to the target, `fold.adapt`.

    The weights are those of the highest UAR on `fold.validation`, source speakers whose
    labels the factorisation does not see; the target's labels are never used. A fold
    without validation clips has some speakers of `fold.train` held out to choose, and
    is factorised again with all of them. Test clips that were adapted to and others
    are coded alike.

    Args:
        utterances: of both corpora; the fold's indices point into it.
        fold: of the protocol `cross`.
        labels: names of the classes, in the order of their indices.
        cache: folder of functionals.
        seed: of the factors' first values.
        feature_set: `compare` or `egemaps`.

    Returns:
        `config` (that was chosen), `predicted` (class indices, as `fold.test`), `C`,
        `validation_UAR` (percent) and `codes` (float32, (n_test, k), as `fold.test`).

    Raises:
        ConfigError: if the fold has no clips to adapt to, a source clip has none of the
            labels, or all have the same.
        SourceError: if a recording cannot be read, or the source has one speaker.
        MissingLibraryError: if opensmile or scikit-learn is not installed.
    """
    if not fold.adapt:
        raise ConfigError(
            f"fold {fold.name} has no clips to adapt to; NMFTSL needs a fold of the "
            "protocol cross"
        )
    x = functionals(utterances, feature_set, cache)
    source = list(fold.train + fold.validation)
    truth = _classes(utterances, source, labels)
    held_out = np.arange(len(source)) >= len(fold.train)
    if not fold.validation:
        chosen = held_out_speakers([utterances[i] for i in source])
        held_out = np.array([utterances[i].speaker in chosen for i in source])
    adapt = x[list(fold.adapt)]
    source_x, target_x = unit_range(x[source], x[source]), unit_range(adapt, adapt)
    config, codes, y, score = _chosen(source_x, truth, held_out, target_x, seed)
    if not fold.validation:
        codes, y = nmftsl(source_x, truth, target_x, config), truth
    test = codes.encode(unit_range(x[list(fold.test)], adapt))
    return {
        "config": {"features": feature_set, **asdict(config)},
        "predicted": classify(codes, y, config.c, test).tolist(),
        "C": config.c,
        "validation_UAR": 100 * score,
        "codes": test,
    }


def _chosen(
    source_x: Features, truth: Ints, held_out: Any, target_x: Features, seed: int
) -> tuple[NmftslConfig, Codes, Ints, float]:
    """The best on the held-out clips; of equal ones the first."""
    y = np.where(held_out, UNLABELLED, truth)

    def tried() -> Iterator[tuple[NmftslConfig, Codes, Ints, float]]:
        for transfer, discrimination in product(TRANSFER, DISCRIMINATION):
            config = NmftslConfig(
                transfer=transfer, discrimination=discrimination, seed=seed
            )
            codes = nmftsl(source_x, y, target_x, config)
            for c in COSTS:
                guess = classify(codes, y, c, codes.source[held_out])
                score = uar(truth[held_out], guess)
                yield replace(config, c=c), codes, y, score

    return max(tried(), key=lambda found: found[3])


def _classes(
    utterances: Sequence[Utterance], rows: Sequence[int], labels: Sequence[str]
) -> Ints:
    for i in rows:
        if utterances[i].emotion not in labels:
            raise ConfigError(
                f"{utterances[i].name} is {utterances[i].emotion}, none of the labels "
                f"{', '.join(labels)}; leave such clips out of the experiment"
            )
    return np.array([labels.index(utterances[i].emotion) for i in rows], np.int64)


def standardised(x: Features, reference: Features) -> Features:
    """`x` shifted and scaled by mean and deviation of the rows of `reference`."""
    deviation = reference.std(0)
    scaled: Features = (x - reference.mean(0)) / np.where(deviation > 0, deviation, 1)
    return scaled


def standardised_by_group(x: Features, groups: Sequence[str]) -> Features:
    """`x`, the rows of every group shifted and scaled by their own statistics."""
    scaled = np.empty(x.shape, np.float64)
    names = np.array(groups)
    for group in set(groups):
        rows = names == group
        scaled[rows] = standardised(x[rows], x[rows])
    return scaled
