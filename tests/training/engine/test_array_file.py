"""Arrays that are computed once, whatever has become of their file."""

from pathlib import Path

import numpy as np
import pytest

from training.engine.array_file import Arrays, cached_arrays


@pytest.mark.parametrize("left", [0, 10, 100])
def test_what_is_left_of_a_broken_file_is_computed_anew(
    left: int, tmp_path: Path
) -> None:
    path, computed = tmp_path / "clip.npz", []

    def compute() -> Arrays:
        computed.append(path)
        return {"mel": np.arange(100.0)}

    for _ in range(2):
        cached_arrays(path, compute)
    assert len(computed) == 1
    path.write_bytes(path.read_bytes()[:left])
    for _ in range(2):
        found = cached_arrays(path, compute)
        np.testing.assert_array_equal(found["mel"], np.arange(100.0))
    assert len(computed) == 2
