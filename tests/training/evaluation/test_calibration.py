"""Scores that mean what they say, and what chance alone would show."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch")

from ser_stream.pipeline.recognizer import softmax, tempered
from training.evaluation.calibration import (
    Calibration,
    expected_calibration_error,
    fit_calibration,
    perfect_ece,
    temperatures,
)
from training.evaluation.clip_steps import ClipSteps


def clips_of(
    rng: np.random.Generator, n: int, shortest: float, longest: float
) -> list[ClipSteps]:
    """Steps whose logits are right only when divided by temperatures of known ends."""
    found = []
    for i in range(n):
        columns = int(rng.choice([1, 2, 4, 9, 16, 25]))
        share = (columns**-0.5 - 0.2) / 0.8
        t = np.exp(share * np.log(shortest) + (1 - share) * np.log(longest))
        honest = rng.normal(0, 1.5, 5).astype(np.float32)
        truth = int(rng.choice(5, p=softmax(honest)))
        logits = (honest * t).tolist()
        found.append(ClipSteps(f"c/{i}", "s", truth, [columns], [logits]))
    return found


def test_temperatures_of_known_ends_are_found(rng: np.random.Generator) -> None:
    fitted = temperatures(clips_of(rng, 6000, 1.6, 0.6))
    assert len(fitted) == 25
    assert fitted[0] == pytest.approx(1.6, rel=0.08)
    assert fitted[-1] == pytest.approx(0.6, rel=0.08)
    assert fitted[3] == pytest.approx(np.exp(0.375 * np.log(1.6 / 0.6)) * 0.6, rel=0.08)
    assert all(a > b for a, b in pairwise(fitted))


def test_few_clips_give_a_smooth_and_bounded_curve() -> None:
    # All right, and so a temperature of 0 would be the likeliest.
    right = [
        ClipSteps(f"c/{i}", "s", 0, [1, 3], [[1.0, 0.0], [1.0, 0.0]]) for i in (0, 1)
    ]
    assert temperatures(right) == [0.25] * 25
    assert temperatures([]) == [1.0] * 25
    assert fit_calibration([ClipSteps("c/0", "s", 0, [], [])]) == Calibration()


def test_a_clip_weighs_the_same_however_long() -> None:
    def clip(truth: int, n: int) -> ClipSteps:
        return ClipSteps("c/0", "s", truth, [25] * n, [[1.0, 0.0]] * n)

    # Three of four clips are right: the score must be 3/4, however many steps each has.
    short = [clip(0, 1), clip(0, 1), clip(0, 1), clip(1, 1)]
    uneven = [clip(0, 1), clip(0, 9), clip(0, 2), clip(1, 30)]
    for clips in (short, uneven):
        assert 1 / temperatures(clips)[-1] == pytest.approx(np.log(3), rel=0.01)


def test_the_score_of_a_clip_is_the_tempered_mean_of_its_steps() -> None:
    clip = ClipSteps("c/0", "s", 0, [1, 1], [[0.0, 0.0], [np.log(3), 0.0]])
    plain, sharp = Calibration(), Calibration(clip_temperature=0.5)
    assert plain.whole(clip) == pytest.approx([0.625, 0.375])
    # Of windows of one column and of two, the second weighs four times as much.
    longer = ClipSteps("c/0", "s", 0, [1, 2], clip.logits)
    assert plain.whole(longer) == pytest.approx([0.7, 0.3])
    squares = np.array([0.625, 0.375]) ** 2
    assert sharp.whole(clip) == pytest.approx(squares / squares.sum())
    assert sharp.whole(ClipSteps("c/1", "s", 0, [], [])) is None


def test_a_temperature_of_one_changes_no_bit() -> None:
    scores = np.array([0.7, 0.3, 0.0], np.float32)
    assert tempered(scores, 1.0) is scores
    assert tempered(scores, 0.5).dtype == np.float32
    assert np.isfinite(tempered(scores, 0.5)).all()


def test_timid_means_get_a_temperature_under_one(rng: np.random.Generator) -> None:
    # Of every clip one step is sure and one is not; nine clips of ten are right.
    clips = [
        ClipSteps(f"c/{i}", "s", int(i % 10 == 0), [9, 9], [[2.0, 0.0], [0.2, 0.0]])
        for i in range(200)
    ]
    found = fit_calibration(clips)
    whole = found.whole(clips[0])
    assert whole is not None
    assert whole[0] == pytest.approx(0.9, abs=0.01)


def test_the_error_of_two_known_bins() -> None:
    scores = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    truth = np.array([0, 1, 0, 0])
    # |0.6 - 0.5| and |0.9 - 1|, each with half of the mass.
    assert expected_calibration_error(scores, truth, 2) == pytest.approx(0.1)


def test_perfect_scores_show_what_drawing_labels_shows(
    rng: np.random.Generator,
) -> None:
    scores = rng.dirichlet(np.full(5, 0.5), 120)
    drawn = []
    for _ in range(600):
        truth = (rng.random((120, 1)) > scores.cumsum(1)).sum(1).clip(max=4)
        drawn.append(expected_calibration_error(scores, truth))
    assert perfect_ece(scores) == pytest.approx(np.mean(drawn), rel=0.03)
    assert perfect_ece(scores) == perfect_ece(scores)


def test_chance_shows_less_the_more_there_are_and_nothing_of_the_certain(
    rng: np.random.Generator,
) -> None:
    scores = rng.dirichlet(np.ones(5), 4000)
    few, many = perfect_ece(scores[:250]), perfect_ece(scores)
    # As one over the square root of their number.
    assert few / many == pytest.approx(4.0, rel=0.1)
    assert perfect_ece(np.eye(5)) == 0.0
    assert perfect_ece(np.zeros((0, 5))) == 0.0
    # One case that is right with probability 0.7: 0.7 times 0.3, and 0.3 times 0.7.
    assert perfect_ece(np.array([[0.7, 0.3]]), 20_000) == pytest.approx(0.42, abs=0.01)
