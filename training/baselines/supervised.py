"""The variant of the paper's Table S5: an SVM trained with labels of the target."""

import numpy as np

from training.baselines.svm import Features, Ints, choose_c, fit_predict
from training.protocols.cross import supervised_split


def supervised_svm(
    features: Features, truth: Ints, seed: int, c: float | None = None
) -> tuple[Ints, Ints]:
    """A linear SVM trained with the labels of 80 % of the target, on any features.

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
