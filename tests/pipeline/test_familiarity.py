"""How near a voice is to what a model knows, from its features to the lines."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.familiarity import Familiarity
from ser_stream.pipeline.last_layer import LastLayer
from ser_stream.pipeline.speaker import LEAST_COLUMNS, Speaker
from tests.helpers.paths import MINUTE, PACKAGED
from tests.helpers.program import predictions, run

KNOWN = Familiarity(np.ones(4, np.float32), np.diag(np.full(4, 0.5, np.float32)), 1.5)


def test_twice_as_far_is_half_as_familiar_and_nothing_is_more_than_familiar() -> None:
    away = np.array([0, 0, 2.0, 0], np.float32)  # whitened: 1
    assert KNOWN.of(KNOWN.centre) == 1.0
    assert KNOWN.of(KNOWN.centre + away) == 1.0
    assert KNOWN.of(KNOWN.centre + 3 * away) == pytest.approx(0.5)
    assert KNOWN.of(KNOWN.centre - 30 * away) == pytest.approx(0.05)


def test_a_file_without_it_is_no_fault_and_a_damaged_one_is(tmp_path: Path) -> None:
    path = tmp_path / "features.npz"
    np.savez(path, mean=np.zeros(4))
    assert Familiarity.read(path) is None
    np.savez(path, centre=np.zeros(4), whitening=np.eye(3), typical=1.0)
    with pytest.raises(ModelError, match=r"features\.npz"):
        Familiarity.read(path)
    np.savez(path, centre=np.zeros(4), whitening=np.eye(4), typical=0.0)
    with pytest.raises(ModelError, match=r"features\.npz"):
        Familiarity.read(path)


def test_speech_of_its_own_training_is_familiar_once_enough_was_heard() -> None:
    done = run("listen", "--input", MINUTE, "--pace", "fast", "--format", "json")
    told = [p for p in predictions(done.stdout) if p["scores"] is not None]
    known = [p["familiarity"] for p in told if p["familiarity"] is not None]
    assert 100 < len(known) < len(told)  # short windows do not say
    # Clips of its own training.
    assert np.median(known) > 0.8
    silence = [p for p in predictions(done.stdout) if p["scores"] is None]
    assert all(p["familiarity"] is None for p in silence)


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_model_tells_and_can_be_taught(name: str) -> None:
    bundle = load_bundle(name)
    assert bundle.features is not None
    layer = LastLayer.read(bundle.features)
    assert layer.emotions is not None
    assert layer.emotions.shape == (len(bundle.labels), len(layer.mean))
    # What emotions do to a voice adds up to nothing.
    assert np.abs(layer.emotions.sum(0)).max() < 1e-3
    known = Familiarity.read(bundle.features)
    assert known is not None
    assert known.of(known.centre) == 1.0


def test_a_features_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    shutil.copytree(load_bundle("open").folder, folder)
    path = folder / "features.npz"
    path.write_bytes(path.read_bytes() + b"x")
    done = run("recognize", "--model", folder, MINUTE)
    assert done.returncode == 4
    assert "features.npz was changed or damaged" in done.stderr.decode()


def test_what_the_emotion_does_is_taken_off_what_counts_and_not_off_examples() -> None:
    emotions = np.array([[2.0, 0, 0, 0], [-2.0, 0, 0, 0]], np.float32)
    layer = LastLayer(
        np.zeros(4, np.float32),
        np.zeros((2, 4), np.float32),
        np.zeros(2, np.float32),
        emotions,
    )
    sure = np.array([1.0, 0.0], np.float32)
    assert layer.of_emotion(sure) == pytest.approx([1.0, 0, 0, 0])  # half of it
    assert not layer.of_emotion(np.full(2, 0.5, np.float32)).any()
    speaker, features = Speaker(1.0), np.full(4, 3.0, np.float32)
    speaker.add(features, LEAST_COLUMNS, layer.of_emotion(sure))
    speaker.pause()
    assert speaker.total(4) == pytest.approx([2.0, 3.0, 3.0, 3.0])
    newest = speaker.newest(1.0)
    assert newest is not None
    assert newest[0] == pytest.approx(features)
