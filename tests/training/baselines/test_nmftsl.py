"""NMFTSL against a transcription of its objective, and its updates' promise."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ser_stream.errors import ConfigError
from training.baselines.nmftsl import (
    UNLABELLED,
    Factorisation,
    NmftslConfig,
    classify,
    encode,
    nmftsl,
    unit_range,
)

pytest.importorskip("sklearn")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMALL = NmftslConfig(shared=6, individual=3, rounds=3, updates=40)
EVEN = replace(SMALL, transfer=1.0, difference=1.0, discrimination=1.0, ridge=1e-2)


@pytest.fixture
def corpora(rng: np.random.Generator) -> tuple[Floats, Ints, Floats]:
    """Noise: 40 source clips of three classes, some unlabelled, and 30 of a target."""
    return rng.random((40, 25)), rng.integers(-1, 3, 40), rng.random((30, 25))


def square(x: NDArray[np.floating]) -> float:
    """Squared Frobenius norm."""
    return float(np.linalg.norm(x) ** 2)


def written_out(model: Factorisation, y: Ints, classes: Ints | None) -> float:
    """The objective of the module's docstring, clip by clip and class by class."""
    config, k = model.config, model.config.shared
    n = len(model.x[0]) + len(model.x[1])
    U, B = model.shared, model.regression
    total = 0.0
    H = []
    for x, rows, v in zip(model.x, model.rows, model.individual, strict=True):
        h, g = rows[:, :k], rows[:, k:]
        H.append(h)
        total += square(x - h @ U - g @ v)
        total += n * config.difference * square(U @ v.T)
        total += config.ridge * (square(h) + square(g))
        total += n * config.ridge * square(v)
    total += n * config.ridge * (square(U) + square(B))
    distance = square(H[0].mean(0) - H[1].mean(0))
    for c in range(3 if classes is not None else 0):
        means = H[0][y == c].mean(0), H[1][classes == c].mean(0)
        distance += square(means[0] - means[1])
    total += n * config.transfer * distance
    for h, c in zip(H[0], y, strict=True):
        if c != UNLABELLED:
            total += config.discrimination * square(np.eye(3)[c] - h @ B)
    return total


def test_the_objective_is_the_one_written_down(
    corpora: tuple[Floats, Ints, Floats], rng: np.random.Generator
) -> None:
    x, y, target = corpora
    model = Factorisation(x, y, target, EVEN)
    assert model.objective() == pytest.approx(written_out(model, y, None))
    classes = np.arange(30) % 3
    model.target_classes(classes)
    for _ in range(3):
        model.update()
    assert model.objective() == pytest.approx(written_out(model, y, classes))


@pytest.mark.parametrize(
    "weights",
    [
        {"transfer": 0, "difference": 0, "discrimination": 0, "ridge": 0},
        {"transfer": 0.01, "difference": 0.1, "discrimination": 0.003, "ridge": 1e-4},
        {"transfer": 1, "difference": 1, "discrimination": 1, "ridge": 0.01},
        {"transfer": 100, "difference": 0, "discrimination": 0, "ridge": 0},
        {"transfer": 0, "difference": 100, "discrimination": 0, "ridge": 0},
        {"transfer": 10, "difference": 10, "discrimination": 100, "ridge": 0.1},
    ],
)
def test_no_update_raises_the_objective(
    weights: dict[str, Any], corpora: tuple[Floats, Ints, Floats]
) -> None:
    x, y, target = corpora
    model = Factorisation(x, y, target, replace(SMALL, **weights))
    for classes in (None, np.arange(30) % 3, np.zeros(30, np.int64)):
        if classes is not None:
            model.target_classes(classes)
        values = [model.objective()]
        for _ in range(100):
            model.update()
            values.append(model.objective())
        assert all(b <= a * (1 + 1e-9) for a, b in pairwise(values))
        assert values[-1] < values[0]
    for factor in (model.shared, model.regression, *model.individual, *model.rows):
        assert (factor >= 0).all()
        assert np.isfinite(factor).all()


def test_each_factor_s_own_update_lowers_it(
    corpora: tuple[Floats, Ints, Floats],
) -> None:
    x, y, target = corpora
    model = Factorisation(x, y, target, EVEN)
    model.target_classes(np.arange(30) % 3)
    last = model.objective()
    for _ in range(20):
        for update in (
            model._update_codes,
            model._update_bases,
            model._update_regression,
        ):
            update()
            now = model.objective()
            assert now <= last * (1 + 1e-9)
            last = now


def test_without_the_other_terms_it_is_nmf(
    corpora: tuple[Floats, Ints, Floats],
) -> None:
    """Both corpora in one basis: as good as scikit-learn's multiplicative NMF."""
    from sklearn.decomposition import NMF

    x, y, target = corpora
    config = replace(
        SMALL, transfer=0, difference=0, discrimination=0, ridge=0, individual=1
    )
    model = Factorisation(x, y, target, config)
    model.individual = [np.zeros_like(v) for v in model.individual]
    for _ in range(500):
        model.update()
    reference = NMF(6, solver="mu", init="random", max_iter=500, tol=0, random_state=0)
    reference.fit(np.concatenate([x, target]))
    assert np.sqrt(model.objective()) == pytest.approx(
        reference.reconstruction_err_, rel=0.02
    )


def test_codes_are_nonnegative_least_squares(rng: np.random.Generator) -> None:
    from scipy.optimize import nnls

    basis, x = rng.random((5, 25)), rng.random((7, 25))
    found = encode(x, basis, updates=20_000)
    expected = np.array([nnls(basis.T, row)[0] for row in x])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def shifted(rng: np.random.Generator, n: int, shift: float) -> tuple[Floats, Ints]:
    """Three classes, each strong in features of its own; a corpus adds a shift."""
    y = np.arange(n) % 3
    strong = np.kron(np.eye(3), np.ones(8))[y]
    x = strong + 0.6 * rng.standard_normal((n, 24)) + shift
    return x, y


def test_the_target_s_classes_are_found_and_the_corpora_drawn_together(
    rng: np.random.Generator,
) -> None:
    (source, y), (target, truth) = shifted(rng, 90, 0), shifted(rng, 60, 2.0)
    x, t = unit_range(source, source), unit_range(target, target)
    distances = []
    for weight in (0.0, 0.3):
        codes = nmftsl(x, y, t, replace(SMALL, transfer=weight))
        assert codes.source.shape == (90, 6)
        assert codes.target.shape == (60, 6)
        gap = codes.source.mean(0) - codes.target.mean(0)
        distances.append(np.linalg.norm(gap) / np.linalg.norm(codes.source.std(0)))
        if weight == 0:
            assert np.mean(classify(codes, y, 0.1) == truth) > 0.8
    assert distances[1] < distances[0]


def test_the_same_seed_gives_the_same_codes(
    corpora: tuple[Floats, Ints, Floats],
) -> None:
    x, y, target = corpora
    first, second = (nmftsl(x, y, target, SMALL) for _ in range(2))
    np.testing.assert_array_equal(first.target, second.target)
    other = nmftsl(x, y, target, replace(SMALL, seed=1))
    assert not np.allclose(first.target, other.target)


def test_clips_that_came_later_are_coded_like_the_target_s(
    corpora: tuple[Floats, Ints, Floats],
) -> None:
    x, y, target = corpora
    codes = nmftsl(x, y, target, SMALL)
    np.testing.assert_allclose(codes.encode(target[3:7]), codes.target[3:7], rtol=1e-6)


def test_features_are_brought_into_range_by_their_own_corpus(
    rng: np.random.Generator,
) -> None:
    x = rng.normal(5, 3, (50, 10)) * 10.0 ** np.arange(-4, 6)
    x[:, 4] = 7.0  # a constant
    x[0, 0] = 1e30  # an outlier
    found = unit_range(x, x[1:])
    assert found.dtype == np.float32
    unit = found * np.sqrt(10)
    assert unit.min() >= 0
    assert unit.max() <= 1 + 1e-6
    np.testing.assert_allclose(unit[:, 4], 0.5)
    expected = (x[7, 1] - x[1:, 1].mean()) / x[1:, 1].std() / 6 + 0.5
    assert unit[7, 1] == pytest.approx(expected, abs=1e-6)


def test_bad_input_is_refused(corpora: tuple[Floats, Ints, Floats]) -> None:
    x, y, target = corpora
    with pytest.raises(ConfigError, match="the target's features hold negative"):
        nmftsl(x, y, target - 1, SMALL)
    with pytest.raises(ConfigError, match=r"the source's features hold .* NaN"):
        nmftsl(np.where(x > 0.5, np.nan, x), y, target, SMALL)
    with pytest.raises(ConfigError, match="two classes or more"):
        nmftsl(x, np.zeros(40, np.int64), target, SMALL)
    with pytest.raises(ConfigError, match="shared is 0; allowed: 1 or more"):
        NmftslConfig(shared=0)
    with pytest.raises(ConfigError, match="ridge is -1; allowed: 0 or more"):
        NmftslConfig(ridge=-1)
