"""A few examples move the last layer, as far as they agree, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from ser_stream.errors import ModelError
from ser_stream.pipeline.last_layer import SHRINK_S, LastLayer, change, taught
from ser_stream.pipeline.values import FloatArray

N_CLASSES, N_FEATURES = 4, 24


@pytest.fixture
def layer(rng: np.random.Generator) -> LastLayer:
    return LastLayer(
        rng.normal(size=N_FEATURES).astype(np.float32),
        rng.normal(scale=0.2, size=(N_CLASSES, N_FEATURES)).astype(np.float32),
        np.zeros(N_CLASSES, np.float32),
    )


def spoken(
    rng: np.random.Generator, n: int, classes: tuple[int, ...]
) -> tuple[FloatArray, np.ndarray]:
    """Centred features of a voice whose emotions lie where the layer has no idea."""
    own = np.random.default_rng(7).normal(size=(N_CLASSES, N_FEATURES))
    targets = np.repeat(classes, n)
    noise = 0.5 * rng.normal(size=(len(targets), N_FEATURES))
    return (own[targets] + noise).astype(np.float32), targets


def recall(
    layer: LastLayer, moved: FloatArray | None, rng: np.random.Generator
) -> float:
    features, targets = spoken(rng, 50, (0, 1, 2, 3))
    logits = layer.logits(features)
    if moved is not None:
        logits = logits + features @ moved.T
    return float((logits.argmax(1) == targets).mean())


def test_three_examples_a_class_are_enough_for_other_speech_of_the_voice(
    layer: LastLayer, rng: np.random.Generator
) -> None:
    moved = taught(layer, *spoken(rng, 3, (0, 1, 2, 3)))
    assert moved is not None
    assert recall(layer, None, rng) < 0.5
    assert recall(layer, moved, rng) > 0.8


def test_only_what_was_taught_moves_and_only_against_each_other(
    layer: LastLayer, rng: np.random.Generator
) -> None:
    moved = taught(layer, *spoken(rng, 3, (1, 3)))
    assert moved is not None
    assert not moved[[0, 2]].any()
    assert np.allclose(moved[1], -moved[3], atol=1e-5)


def test_of_one_class_and_of_contradictions_nothing_is_learnt(
    layer: LastLayer, rng: np.random.Generator
) -> None:
    assert taught(layer, *spoken(rng, 5, (2,))) is None
    # The same sound, twice as what the layer calls it and twice as something else.
    here = np.float32(0.01) * (layer.weight[0] - layer.weight[1])
    same = np.tile(here, (4, 1))
    assert taught(layer, same, np.array([0, 0, 1, 1])) is None
    both = np.stack([here, here, -here, -here])
    assert taught(layer, both, np.array([0, 0, 1, 1])) is not None


def test_examples_that_the_layer_knows_well_change_little(layer: LastLayer) -> None:
    # Far out along its own weights every class is certain.
    sure = 40 * layer.weight
    before = layer.logits(sure)
    assert (before.argmax(1) == np.arange(N_CLASSES)).all()
    moved = change(layer, sure, np.arange(N_CLASSES))
    assert np.abs(moved).max() < 0.05 * np.abs(layer.weight).max()


def test_a_speakers_mean_is_shrunk_towards_that_of_unknown_voices(
    layer: LastLayer,
) -> None:
    nothing = np.zeros(N_FEATURES, np.float32)
    assert np.allclose(layer.mean_of(nothing, 0.0), layer.mean)
    own = np.full(N_FEATURES, 2.0, np.float32)
    half = layer.mean_of(own * np.float32(SHRINK_S), SHRINK_S)
    assert np.allclose(half, (own + layer.mean) / 2, atol=1e-5)


def test_a_file_that_is_none_is_refused_with_its_path(
    layer: LastLayer, tmp_path: Path
) -> None:
    path = tmp_path / "features.npz"
    np.savez(path, mean=layer.mean, weight=layer.weight, bias=layer.bias)
    assert np.array_equal(LastLayer.read(path).weight, layer.weight)
    np.savez(path, mean=layer.mean, weight=layer.weight, bias=layer.bias[1:])
    with pytest.raises(ModelError, match=r"features\.npz"):
        LastLayer.read(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match=r"features\.npz"):
        LastLayer.read(path)
