"""openSMILE functionals of real clips, and what the cache on disk survives."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.errors import ConfigError, MissingLibraryError, SourceError
from ser_stream.pipeline.values import FloatArray
from training.baselines.functionals import functionals
from training.baselines.libraries import library
from training.corpora import Utterance

opensmile = pytest.importorskip("opensmile")


def utterance(path: Path) -> Utterance:
    return Utterance("emodb", path, "03", "male", "angry", "a01", "German")


@pytest.fixture(scope="module")
def utterances(data: Path) -> list[Utterance]:
    return [utterance(path) for path in sorted(data.glob("???????.flac"))]


@pytest.mark.parametrize(("name", "width"), [("egemaps", 88), ("compare", 6373)])
def test_the_vectors_are_opensmile_s(
    name: str,
    width: int,
    utterances: list[Utterance],
    clips: dict[str, FloatArray],
    tmp_path: Path,
) -> None:
    sets = {
        "egemaps": opensmile.FeatureSet.eGeMAPSv02,
        "compare": opensmile.FeatureSet.ComParE_2016,
    }
    x = functionals(utterances[:2], name, tmp_path, progress=False)
    assert x.shape == (2, width)
    assert x.dtype == np.float32
    smile = opensmile.Smile(sets[name], opensmile.FeatureLevel.Functionals)
    # Through another door of the library: a table with the names of the features.
    table = smile.process_signal(clips[utterances[1].path.stem], 16000)
    np.testing.assert_allclose(x[1], table.to_numpy()[0], rtol=1e-6)


def test_what_is_cached_is_not_computed_again(
    utterances: list[Utterance], tmp_path: Path
) -> None:
    first = functionals(utterances[:3], "egemaps", tmp_path, progress=False)
    files = sorted((tmp_path / "eGeMAPSv02").iterdir())
    assert len(files) == 3
    before = [path.stat().st_mtime_ns for path in files]
    # In another order, with one more: only that one is new.
    more = [utterances[3], *utterances[:3]]
    second = functionals(more, "egemaps", tmp_path, progress=False)
    np.testing.assert_array_equal(second[1:], first)
    assert [path.stat().st_mtime_ns for path in files] == before


def test_torn_and_foreign_files_of_the_cache_are_computed_again(
    utterances: list[Utterance], tmp_path: Path
) -> None:
    first = functionals(utterances[:3], "egemaps", tmp_path, progress=False)
    torn, empty, foreign = sorted((tmp_path / "eGeMAPSv02").iterdir())
    torn.write_bytes(torn.read_bytes()[:200])
    empty.write_bytes(b"")
    np.save(foreign, np.zeros(5, np.float32))
    again = functionals(utterances[:3], "egemaps", tmp_path, progress=False)
    np.testing.assert_array_equal(again, first)
    assert not list(tmp_path.rglob(".part-*"))


def test_a_changed_recording_is_computed_anew(clip: FloatArray, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, clip, 16000)
    first = functionals([utterance(path)], "egemaps", tmp_path, progress=False)
    soundfile.write(path, clip[:16000], 16000)
    second = functionals([utterance(path)], "egemaps", tmp_path, progress=False)
    assert not np.allclose(first, second)


def test_an_unknown_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allowed: compare, egemaps"):
        functionals([], "is09", tmp_path)


def test_unreadable_and_empty_recordings_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"absent\.wav cannot be read"):
        functionals([utterance(tmp_path / "absent.wav")], "egemaps", tmp_path)
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    with pytest.raises(SourceError, match=r"text\.wav cannot be read"):
        functionals([utterance(text)], "egemaps", tmp_path, progress=False)
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(80, np.float32), 16000)
    with pytest.raises(SourceError, match=r"short\.wav: openSMILE .* 0\.005 s"):
        functionals([utterance(short)], "egemaps", tmp_path, progress=False)
    assert not list((tmp_path / "eGeMAPSv02").iterdir())


HIDDEN = """
import sys
sys.modules["opensmile"] = None
from pathlib import Path
from ser_stream.errors import MissingLibraryError
from training.baselines.functionals import functionals
from training.corpora import Utterance
clip = Utterance("emodb", Path(sys.argv[1]), "03", "male", "angry", "a01", "German")
try:
    functionals([clip], "egemaps", Path(sys.argv[2]))
except MissingLibraryError as error:
    print(error.exit_status, error)
"""


def test_without_opensmile_the_error_names_the_extra(
    data: Path, tmp_path: Path
) -> None:
    arguments = [str(data / "03a01Wa.flac"), str(tmp_path)]
    answer = subprocess.run(
        [sys.executable, "-c", HIDDEN, *arguments],
        env={**os.environ, "PYTHONPATH": "."},
        cwd=data.parents[1],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert answer.startswith("69 the baselines need the package opensmile")
    assert "pip install 'ser-stream[baselines]'" in answer


def test_a_missing_module_of_scikit_learn_names_its_package() -> None:
    with pytest.raises(MissingLibraryError, match="the package scikit-learn"):
        library("sklearn.absent")
