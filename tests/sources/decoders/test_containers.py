"""Every container by every way: a file, a named pipe, standard input."""

from pathlib import Path

import numpy as np
import pytest

from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders.containers import CONTAINERS, identify, no_audio
from ser_stream.sources.decoders.mpeg import id3_length
from tests.helpers.made_once import MadeOnce
from tests.helpers.made_recordings import (
    LOSSY_DELAY,
    WITH_FFMPEG,
    WITH_SOX,
    make_all,
    missing_tool,
)
from tests.helpers.paths import DATA
from tests.helpers.read_recordings import hear_fifo, hear_file, hear_pipe

CLIP = DATA / "15a02Ac.flac"
NAMES = (*WITH_FFMPEG, *WITH_SOX)

pytestmark = pytest.mark.skipif(
    missing_tool() is not None, reason="needs ffmpeg and sox to make recordings"
)


@pytest.fixture(scope="module")
def made(once: MadeOnce) -> Path:
    return once("containers", lambda folder: make_all(CLIP, folder))


def loudness(samples: FloatArray) -> FloatArray:
    """Energy of each 20 ms, which a codec keeps."""
    cells = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    result: FloatArray = np.sqrt(np.square(cells).mean(axis=1))
    return result


def likeness(heard: FloatArray, clip: FloatArray) -> float:
    """Correlation of how loud they are, wherever a codec has put the sound."""
    ours, own = loudness(heard), loudness(clip)
    found = []
    for lag in range(-8, 9):
        late, early = ours[max(0, lag) :], own[max(0, -lag) :]
        n = min(len(late), len(early))
        found.append(np.corrcoef(late[:n], early[:n])[0, 1])
    return float(max(found))


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_the_same_by_every_way(
    name: str, made: Path, tmp_path: Path, clips: dict[str, FloatArray]
) -> None:
    clip = clips[CLIP.stem]
    by_name = hear_file(made / name)
    assert by_name.damage is None
    assert by_name.starts == (0,)
    assert by_name.seconds == pytest.approx(len(clip) / 16_000, abs=LOSSY_DELAY)
    assert likeness(by_name.samples, clip) > 0.9
    content = (made / name).read_bytes()
    for heard in (hear_pipe(content), hear_fifo(content, tmp_path / "fifo")):
        assert heard.damage is None
        assert np.array_equal(heard.samples, by_name.samples)


def test_there_are_thirty_containers_and_codecs_or_more(made: Path) -> None:
    assert len(list(made.iterdir())) >= 30


def test_no_container_is_taken_for_one_that_stands_before_it(made: Path) -> None:
    for path in made.iterdir():
        content = path.read_bytes()
        head = content[id3_length(content) :][:4096]
        found = identify(head)
        assert found is not None
        assert no_audio(head) is None
        matching = [each.name for each in CONTAINERS if each.matches(head)]
        assert set(matching) == {found.name}, path.name


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_container(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-3000, 3000, 4096).astype("<i2")
    assert identify(noise.tobytes()) is None
