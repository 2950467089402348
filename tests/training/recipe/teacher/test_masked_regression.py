"""A classifier of clips whose corpora speak of some classes alone."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.linear_model import LogisticRegression

from training.recipe.teacher.masked_regression import MaskedRegression

N, CLASSES, FEATURES = 240, 4, 10


def clips(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    targets = np.arange(N) % CLASSES
    centres = rng.normal(0.0, 1.0, (CLASSES, FEATURES))
    x = centres[targets] + rng.normal(0.0, 1.0, (N, FEATURES))
    return x.astype(np.float32), targets, rng.uniform(0.2, 2.0, N)


def test_without_a_mask_it_is_scikit_learns(rng: np.random.Generator) -> None:
    x, targets, weights = clips(rng)
    own = MaskedRegression.fit(x, targets, np.ones((N, CLASSES), bool), weights, 0.05)
    theirs = LogisticRegression(C=0.05, tol=1e-8, max_iter=1000)
    theirs.fit(x, targets, sample_weight=weights)
    assert np.allclose(own.probabilities(x), theirs.predict_proba(x), atol=1e-3)


def test_what_tells_a_corpus_of_two_classes_apart_says_nothing_about_the_others(
    rng: np.random.Generator,
) -> None:
    x, targets, weights = clips(rng)
    partial = (np.arange(N) >= N // 2) & (targets < 2)
    x = np.hstack([x, 3.0 * partial[:, None]]).astype(np.float32)  # Its microphone.
    allowed = np.ones((N, CLASSES), bool)
    blind = MaskedRegression.fit(x, targets, allowed, weights, 1.0)
    allowed[partial, 2:] = False
    masked = MaskedRegression.fit(x, targets, allowed, weights, 1.0)
    here = x[targets >= 2]
    there = here.copy()
    there[:, -1] = 3.0

    def moved(model: MaskedRegression) -> float:
        return float(
            (model.probabilities(there) - model.probabilities(here))[:, :2]
            .sum(1)
            .mean()
        )

    assert abs(moved(masked)) < 0.01
    assert moved(blind) > 0.05
