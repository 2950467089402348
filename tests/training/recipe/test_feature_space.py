"""Where the features of the training speech lie: classes beside speakers."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ser_stream.pipeline.familiarity import Familiarity
from training.recipe.feature_space import FeatureSpace, emotions, familiarity

N_FEATURES = 6


def test_classes_are_told_from_speakers_who_were_not_recorded_with_all_of_them() -> (
    None
):
    rng = np.random.default_rng(0)
    true = rng.normal(size=(3, N_FEATURES))
    true -= true.mean(0)
    rows = []
    for speaker, classes in (
        ("a", (0, 1, 2)),
        ("b", (0, 1)),
        ("c", (1, 2)),
        ("d", (2,)),
    ):
        voice = 10 * rng.normal(size=N_FEATURES)
        rows += [(speaker, c, voice + true[c]) for c in classes for _ in range(20)]
    speakers, targets, features = (np.array(each) for each in zip(*rows, strict=True))
    noisy = (features + 0.1 * rng.normal(size=features.shape)).astype(np.float32)
    found = emotions(noisy, targets, speakers, 3)
    assert np.abs(found - true).max() < 0.1
    assert np.abs(found.sum(0)).max() < 1e-5


def test_the_typical_distance_is_that_of_half_of_the_speech(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    spread = rng.normal(size=(N_FEATURES, N_FEATURES))
    features = (rng.normal(size=(4000, N_FEATURES)) @ spread + 5).astype(np.float32)
    found = familiarity(features)
    nearest = np.array([found.of(each) == 1.0 for each in features])
    assert nearest.mean() == pytest.approx(0.5, abs=0.01)
    # Whatever the spread, distances are those of a unit normal, but for the shrinking.
    assert found.typical == pytest.approx(np.sqrt(N_FEATURES - 2 / 3), rel=0.15)
    # To the name that is given, and a folder that is not there yet.
    path = tmp_path / "new" / "measured"
    FeatureSpace(found, np.zeros((3, N_FEATURES), np.float32)).write(path)
    again = Familiarity.read(path)
    assert again is not None
    assert again.of(features[0]) == pytest.approx(found.of(features[0]))
