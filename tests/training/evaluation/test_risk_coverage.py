"""What abstaining buys, and the threshold that is chosen from it."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from training.evaluation.risk_coverage import (
    choose_uncertain,
    curve,
    plot_risk_coverage,
    risk_coverage,
)

CONFIDENCE = np.array([0.6, 0.9, 0.7, 0.8])
RIGHT = np.array([True, True, True, False])


def test_the_curve_of_four_steps_is_known() -> None:
    coverage, risk = curve(CONFIDENCE, RIGHT)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    found = risk_coverage(CONFIDENCE, RIGHT)
    assert found["AURC"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 4, abs=1e-4)
    assert found["points"] == [
        {"threshold": 0.6, "coverage": 100.0, "error": 25.0},
        {"threshold": 0.65, "coverage": 75.0, "error": 33.3},
        {"threshold": 0.7, "coverage": 75.0, "error": 33.3},
        {"threshold": 0.75, "coverage": 50.0, "error": 50.0},
        {"threshold": 0.8, "coverage": 50.0, "error": 50.0},
        {"threshold": 0.85, "coverage": 25.0, "error": 0.0},
        {"threshold": 0.9, "coverage": 25.0, "error": 0.0},
    ]


def test_where_steps_turn_more_wrong_than_right_is_the_threshold() -> None:
    confidence = np.linspace(0.2, 1.0, 801)
    right = confidence > 0.4205
    assert choose_uncertain(confidence, right, least_coverage=0.5) == 0.42


def test_the_threshold_leaves_enough_steps_their_label() -> None:
    confidence = np.linspace(0.0, 0.999, 1000)
    right = confidence > 0.7
    assert choose_uncertain(confidence, right) == 0.15
    assert np.mean(confidence >= choose_uncertain(confidence, right)) >= 0.85
    # A network that is never right is silenced no further.
    assert choose_uncertain(confidence, np.zeros(1000, bool)) == 0.15


def test_a_network_that_is_always_right_abstains_from_nothing() -> None:
    confidence = np.linspace(0.3, 0.9, 100)
    threshold = choose_uncertain(confidence, np.ones(100, bool))
    assert (confidence >= threshold).all()
    assert choose_uncertain(np.zeros(0), np.zeros(0, bool)) == 0.0


def test_the_picture_is_one(tmp_path: Path) -> None:
    image = tmp_path / "new" / "curve.png"
    plot_risk_coverage({"all": curve(CONFIDENCE, RIGHT)}, 0.7, 0.75, image)
    assert image.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
