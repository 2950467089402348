"""Lengths of real files, and the nearest of them."""

from pathlib import Path

import numpy as np
import soundfile

from training.baselines.clip_length import clip_length_predict, clip_lengths


def test_lengths_are_those_of_the_files_at_their_own_rate(tmp_path: Path) -> None:
    said = {"a.wav": (16_000, 12_345), "b.flac": (44_100, 9_999)}
    for name, (rate, n) in said.items():
        stereo = np.zeros((n, 2), np.float32)
        soundfile.write(tmp_path / name, stereo, rate, subtype="PCM_16")
    found = clip_lengths([tmp_path / name for name in said])
    assert found.tolist() == [12_345, 9_999]


def test_a_grid_of_lengths_tells_the_label_and_lengths_as_they_come_do_not(
    rng: np.random.Generator,
) -> None:
    y = rng.integers(0, 3, 600)
    free = rng.integers(20_000, 40_000, 600)
    # Each label's clips are whole numbers of its own step long, as CASIA's are.
    step = np.array([617, 653, 701])[y]
    grid = free // step * step

    def right(lengths: np.ndarray) -> float:
        found = clip_length_predict(lengths[:400], y[:400], lengths[400:])
        return float(np.mean(found == y[400:]))

    assert right(grid) > 0.9
    assert right(free) < 0.45


def test_all_that_are_nearest_vote() -> None:
    train = np.array([100, 100, 100, 104, 300])
    y = np.array([2, 1, 1, 0, 2])
    # 102 is as near to four of them, 103 to one; 299 to the last.
    found = clip_length_predict(train, y, np.array([100, 102, 103, 299]))
    assert found.tolist() == [1, 1, 0, 2]
    # As many of either: the first class.
    assert clip_length_predict(train[:2], y[:2], np.array([90])).tolist() == [1]
