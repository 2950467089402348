"""Fixtures that several modules share."""

import os
from pathlib import Path

# Where tests run side by side, torch's threads would fight for the cores. Must be set
# before it is first imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import soundfile
from hypothesis import settings

from ser_stream.pipeline.values import FloatArray
from tests.helpers.paths import DATA

# The same examples on every machine: a failure in CI is a failure at home.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers in every run."""
    return np.random.default_rng(2022)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of clips and reference arrays."""
    return DATA


@pytest.fixture(scope="session")
def clips() -> dict[str, FloatArray]:
    """Samples of the six EmoDB clips, by file stem; read-only."""
    result = {}
    for path in sorted(DATA.glob("???????.flac")):
        samples: FloatArray = soundfile.read(path, dtype="float32")[0]
        samples.flags.writeable = False
        result[path.stem] = samples
    return result


@pytest.fixture(scope="session")
def clip(clips: dict[str, FloatArray]) -> FloatArray:
    """One clip: speaker 03, angry, 1.9 s."""
    return clips["03a01Wa"]
