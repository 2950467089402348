"""Fixtures that several modules share."""

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Torch's threads would fight for the cores with the tests beside, or with whatever else
# is done on the machine. Must be set before it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# All modules are imported and nothing is thrown away until the tests are collected:
# looking for garbage meanwhile would take a third of the time.
gc.disable()

import numpy as np
import pytest
import soundfile
from hypothesis import settings

from ser_stream.pipeline.values import FloatArray
from tests.helpers.made_once import MadeOnce
from tests.helpers.paths import DATA, TINY
from tests.helpers.standing_clock import StandingClock

EMOTIONS = {
    "W": "angry",
    "A": "fear",
    "F": "happy",
    "N": "neutral",
    "T": "sad",
    "L": "boredom",
}
"""By EmoDB's letters."""

# The same examples on every machine: a failure in CI is a failure at home.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


def pytest_collection_finish() -> None:
    """Look for garbage again, but not among what is imported."""
    gc.freeze()
    gc.enable()


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


@pytest.fixture(scope="session")
def two_clips(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A folder of two clips: enough for a proof, which other tests look at."""
    folder = tmp_path_factory.mktemp("clips")
    for path in sorted(data.glob("???????.flac"))[:2]:
        (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> MadeOnce:
    """What is slow to make, made once for all workers of this run of the tests."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return MadeOnce(folder / f"once-{testrun_uid}")


@pytest.fixture(scope="session")
def clip_corpora(once: MadeOnce, data: Path) -> Path:
    """The six clips, one of them bored, as `clips`, `far`, `emodb` and `crema-d`."""

    def write(folder: Path) -> None:
        for corpus in ("clips", "far", "emodb", "crema-d"):
            (folder / corpus).mkdir(parents=True)
            lines = ["file,speaker,emotion,sex,language"]
            for path in sorted(data.glob("???????.flac")):
                (folder / corpus / path.name).symlink_to(path)
                emotion = EMOTIONS[path.stem[5]]
                lines.append(f"{path.name},{path.stem[:2]},{emotion},male,de")
            text = "\n".join(lines) + "\n"
            (folder / corpus / "manifest.csv").write_text(text)

    return once("clip-corpora", write)


@pytest.fixture(scope="session")
def tiny(once: MadeOnce, two_clips: Path) -> Path:
    """A bundle: the network of `tests/data/tiny.pt`, exported as any other is."""

    def export(folder: Path) -> None:
        pytest.importorskip("torch")
        from export.bundle import export_bundle

        export_bundle(TINY, folder, two_clips, None)

    return once("tiny", export)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Torch's threads as above, also behind a test whose command chose others.

    Two that share a core wait for each other in vain: what comes behind would take
    several times as long. And in one thread, sums have the same order everywhere.
    """
    yield
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    """The clocks of `time`, whatever the machine does meanwhile."""
    clock = StandingClock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "time", clock.time)
    return clock
