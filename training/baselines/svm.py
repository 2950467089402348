"""A linear SVM on standardised features, and how its C is chosen.

scikit-learn's `StandardScaler` and `SVC`: one against one, classes weighted inversely
to their number of clips. The kernel is computed once for all C: with 6373 features that
is most of the work. Nothing here is random but the folds of a corpus without speakers.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import ConfigError
from training.baselines.libraries import library
from training.protocols.cross import supervised_split

Ints = NDArray[np.int64]
Features = NDArray[np.floating]

GRID = (1e-3, 1e-2, 1e-1, 1.0)
INNER_FOLDS = 5


def fit_predict(train_x: Features, train_y: Ints, test_x: Features, c: float) -> Ints:
    """The classes of the rows `test_x`, shape (n_test,).

    Args:
        train_x: (n_train, d); standardised by its own mean and deviation, as is
            `test_x`.
        train_y: (n_train,), classes.
        test_x: (n_test, d).
        c: cost of an error; the smaller, the stronger the regularisation.

    Raises:
        ConfigError: if the training rows are of fewer than two classes.
    """
    return _over_costs(train_x, train_y, test_x, (c,))[0]


def choose_c(
    train_x: Features,
    train_y: Ints,
    groups: Sequence[str],
    grid: Sequence[float] = GRID,
    seed: int = 0,
) -> float:
    """The C of the highest UAR in cross-validation within the training rows.

    Folds hold out whole groups; where all rows are of one group, they are random and
    stratified by class. The UAR is over the held-out rows of all folds together. Of
    equal ones the smallest C is taken.

    Args:
        train_x: (n, d).
        train_y: (n,), classes.
        groups: (n,), the speaker of each row.
        grid: values of C to choose from.
        seed: of the random folds.

    Raises:
        ConfigError: if the training rows are of fewer than two classes.
    """
    _check_classes(train_y)
    costs = sorted(grid)
    truth: list[Ints] = []
    predicted: list[list[Ints]] = [[] for _ in costs]
    for inner, held_out in _inner_folds(train_y, groups, seed):
        truth.append(train_y[held_out])
        answers = _over_costs(train_x[inner], train_y[inner], train_x[held_out], costs)
        for rows, answer in zip(predicted, answers, strict=True):
            rows.append(answer)
    scores = [uar(np.concatenate(truth), np.concatenate(rows)) for rows in predicted]
    return costs[int(np.argmax(scores))]


def supervised_svm(
    features: Features, truth: Ints, seed: int, c: float | None = None
) -> tuple[Ints, Ints]:
    """The paper's Table S5: trained with labels of 80 % of the target, on any features.

    Args:
        features: (n, d), one row for each clip of the target.
        truth: (n,), classes.
        seed: of the split; see `supervised_split`.
        c: of the SVM; None chooses it by cross-validation within the 80 %.

    Returns:
        The test rows in ascending order, and the class predicted for each.

    Raises:
        ConfigError: if the clips are of fewer than two classes.
    """
    train, test = (np.sort(rows) for rows in supervised_split(truth.tolist(), seed))
    if c is None:
        one_group = ["target"] * len(train)
        c = choose_c(features[train], truth[train], one_group, seed=seed)
    return test, fit_predict(features[train], truth[train], features[test], c)


def uar(truth: Ints, predicted: Ints) -> float:
    """Mean recall over the classes in `truth`, 0 to 1."""
    return float(np.mean([np.mean(predicted[truth == c] == c) for c in set(truth)]))


def _over_costs(
    train_x: Features, train_y: Ints, test_x: Features, costs: Sequence[float]
) -> list[Ints]:
    _check_classes(train_y)
    scaler = library("sklearn.preprocessing").StandardScaler()
    train = scaler.fit_transform(train_x.astype(np.float64))
    test = scaler.transform(test_x.astype(np.float64))
    among, across = train @ train.T, test @ train.T
    result = []
    for c in costs:
        svm = library("sklearn.svm").SVC(
            kernel="precomputed", C=c, class_weight="balanced"
        )
        answer: Ints = svm.fit(among, train_y).predict(across).astype(np.int64)
        result.append(answer)
    return result


def _inner_folds(
    train_y: Ints, groups: Sequence[str], seed: int
) -> list[tuple[Ints, Ints]]:
    selection = library("sklearn.model_selection")
    n_groups = len(set(groups))
    if n_groups > 1:
        split = selection.GroupKFold(min(INNER_FOLDS, n_groups))
        folds = [
            (inner, held_out)
            for inner, held_out in split.split(train_y, train_y, list(groups))
            if len(set(train_y[inner])) > 1
        ]
        if folds:
            return folds
    n = min(INNER_FOLDS, int(np.bincount(train_y).max()))
    split = selection.StratifiedKFold(max(2, n), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clips than folds is absent from some; no harm.
        warnings.simplefilter("ignore", UserWarning)
        return list(split.split(train_y, train_y))


def _check_classes(train_y: Ints) -> None:
    if len(set(train_y)) < 2:
        raise ConfigError(
            "an SVM needs training clips of two classes or more; these are of "
            f"{len(set(train_y))}; take another fold, or leave fewer clips out"
        )
