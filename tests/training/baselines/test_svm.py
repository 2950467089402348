"""The linear SVM, the choice of its C, and the supervised variant."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ser_stream.errors import ConfigError
from training.baselines.svm import choose_c, fit_predict, supervised_svm, uar

pytest.importorskip("sklearn")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def blobs(rng: np.random.Generator, n: int, noise: float) -> tuple[Floats, Ints]:
    """Three classes of unequal size around corners, on features of unequal scale."""
    y = rng.choice(3, size=n, p=[0.6, 0.3, 0.1])
    x = np.eye(3)[y] + noise * rng.standard_normal((n, 3))
    return np.hstack([x, rng.standard_normal((n, 5))]) * 10.0 ** np.arange(8), y


def test_it_is_scikit_learn_s_pipeline(rng: np.random.Generator) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, y = blobs(rng, 200, 0.6)
    for c in (1e-3, 1e-1, 1.0):
        reference = make_pipeline(
            StandardScaler(), SVC(kernel="linear", C=c, class_weight="balanced")
        ).fit(x[:150], y[:150])
        found = fit_predict(x[:150], y[:150], x[150:], c)
        np.testing.assert_array_equal(found, reference.predict(x[150:]))


def test_a_test_clip_does_not_change_another_s_class(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 120, 0.8)
    together = fit_predict(x[:80], y[:80], x[80:], 0.1)
    alone = [fit_predict(x[:80], y[:80], x[i : i + 1], 0.1)[0] for i in range(80, 90)]
    assert together[:10].tolist() == alone


def test_rare_classes_weigh_as_much_as_frequent_ones(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 600, 0.7)
    found = fit_predict(x[:400], y[:400], x[400:], 0.1)
    recalls = [np.mean(found[y[400:] == c] == c) for c in range(3)]
    assert min(recalls) > 0.5


def test_uar_is_the_mean_of_recalls() -> None:
    import audmetric

    truth = np.array([0, 0, 0, 1, 2, 2])
    found = np.array([0, 0, 1, 1, 0, 2])
    assert uar(truth, found) == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert uar(truth, found) == pytest.approx(
        audmetric.unweighted_average_recall(truth, found)
    )


def test_c_is_that_of_held_out_speakers(rng: np.random.Generator) -> None:
    """A plain transcription: leave one speaker out, the best UAR over all rows."""
    x, y = blobs(rng, 160, 1.2)
    speakers = np.array([f"s{i % 4}" for i in range(160)])
    grid = (1e-4, 1e-2, 1.0)
    scores = []
    for c in grid:
        found = np.empty(160, int)
        for speaker in sorted(set(speakers)):
            out = speakers == speaker
            found[out] = fit_predict(x[~out], y[~out], x[out], c)
        scores.append(uar(y, found))
    assert choose_c(x, y, speakers.tolist(), grid) == grid[int(np.argmax(scores))]


def test_one_speaker_gives_stratified_folds(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 100, 0.8)
    grid = (1e-4, 1e-2, 1.0)
    first = choose_c(x, y, ["only"] * 100, grid, seed=3)
    assert first in grid
    assert choose_c(x, y, ["only"] * 100, grid, seed=3) == first


def test_equal_scores_give_the_smallest_c(rng: np.random.Generator) -> None:
    x, y = blobs(rng, 60, 0.0)
    speakers = [f"s{i % 3}" for i in range(60)]
    assert choose_c(x[:, :3], y, speakers, (1.0, 0.1)) == 0.1


def test_speakers_of_one_class_each_fall_back_on_random_folds(
    rng: np.random.Generator,
) -> None:
    y = np.repeat([0, 1], 10)
    x = np.hstack([y[:, None] + 0.1 * rng.standard_normal((20, 1)), np.ones((20, 1))])
    # Without either speaker the rest is of one class.
    assert choose_c(x, y, ["a"] * 10 + ["b"] * 10) == 1e-3


def test_training_clips_of_one_class_are_refused(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((6, 4)), np.zeros(6, np.int64)
    with pytest.raises(ConfigError, match="two classes or more; these are of 1"):
        fit_predict(x, y, x, 1.0)
    with pytest.raises(ConfigError, match="two classes or more"):
        choose_c(x, y, list("aabbcc"))


def test_the_supervised_variant_scores_a_fifth_of_each_class(
    rng: np.random.Generator,
) -> None:
    y = np.repeat([0, 1, 2, 3, 4], [127, 69, 71, 79, 62])  # EMODB's five classes
    x = np.eye(5)[y] + 0.5 * rng.standard_normal((408, 5))
    test, found = supervised_svm(x, y, seed=98)
    assert len(test) == len(found) == 82  # as in the paper's Table S5
    assert (np.diff(test) > 0).all()
    shares = np.bincount(y[test]) / np.bincount(y)
    np.testing.assert_allclose(shares, 0.2, atol=0.02)
    assert uar(y[test], found) > 0.6
    again, same = supervised_svm(x, y, seed=98)
    np.testing.assert_array_equal(test, again)
    np.testing.assert_array_equal(found, same)
    assert set(supervised_svm(x, y, seed=99, c=0.1)[0]) != set(test)
