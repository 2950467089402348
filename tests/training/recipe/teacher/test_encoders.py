"""The frozen encoders' way from samples to features, on weights by chance."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from ser_stream.pipeline.values import FloatArray
from training.recipe.teacher import encoders
from training.recipe.teacher.encoders import N_FEATURES, Encoders, trimmed


@pytest.fixture(scope="module")
def by_chance() -> Encoders:
    """Encoders as they are, weights of their shapes."""
    torch.manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "encoder/conv1/weight": (512, 80, 3),
        "encoder/conv1/bias": (512,),
        "encoder/conv2/weight": (512, 512, 3),
        "encoder/conv2/bias": (512,),
        "encoder/position_encodings/encodings": (1500, 512),
    }
    for i in range(3):
        own = f"encoder/layer_{i}/self_attention/"
        ffn = f"encoder/layer_{i}/ffn/"
        for name in (own, ffn):
            shapes[name + "layer_norm/gamma"] = shapes[name + "layer_norm/beta"] = (
                512,
            )
        for name, (n_out, n_in) in {
            own + "linear_0": (1536, 512),
            own + "linear_1": (512, 512),
            ffn + "linear_0": (2048, 512),
            ffn + "linear_1": (512, 2048),
        }.items():
            shapes[name + "/weight"], shapes[name + "/bias"] = (n_out, n_in), (n_out,)
    weights = {name: torch.randn(shape) * 0.02 for name, shape in shapes.items()}
    with pytest.MonkeyPatch.context() as patch:
        lstm = nn.LSTM(40, 256, 3, batch_first=True).state_dict()
        patch.setattr(encoders, "whisper_weights", lambda folder: weights)
        patch.setattr(encoders, "resemblyzer_weights", lambda folder: lstm)
        return Encoders(Path())


def test_silence_is_cut_off_as_librosa_does(clip: FloatArray) -> None:
    librosa = pytest.importorskip("librosa")
    quiet = np.zeros(9000, np.float32)
    samples = np.concatenate([quiet, clip, quiet])
    expected = librosa.effects.trim(samples, top_db=45)[0]
    assert np.array_equal(trimmed(samples), expected)
    assert np.array_equal(trimmed(quiet), quiet)


def test_a_block_is_that_of_a_transformer(by_chance: Encoders) -> None:
    x = torch.randn(1, 30, 512)
    layer = nn.TransformerEncoderLayer(
        512, 8, 2048, 0.0, "gelu", batch_first=True, norm_first=True
    ).eval()
    at = "encoder/layer_1/"
    own, ffn = at + "self_attention/", at + "ffn/"
    w = by_chance._w
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": w[own + "linear_0/weight"],
            "self_attn.in_proj_bias": w[own + "linear_0/bias"],
            "self_attn.out_proj.weight": w[own + "linear_1/weight"],
            "self_attn.out_proj.bias": w[own + "linear_1/bias"],
            "linear1.weight": w[ffn + "linear_0/weight"],
            "linear1.bias": w[ffn + "linear_0/bias"],
            "linear2.weight": w[ffn + "linear_1/weight"],
            "linear2.bias": w[ffn + "linear_1/bias"],
            "norm1.weight": w[own + "layer_norm/gamma"],
            "norm1.bias": w[own + "layer_norm/beta"],
            "norm2.weight": w[ffn + "layer_norm/gamma"],
            "norm2.bias": w[ffn + "layer_norm/beta"],
        }
    )
    with torch.no_grad():
        assert torch.allclose(by_chance._block(x, at), layer(x), atol=1e-4)


def test_features_are_of_the_clip_and_not_of_its_level(
    by_chance: Encoders, clip: FloatArray
) -> None:
    found = by_chance.features(clip)
    assert found.shape == (N_FEATURES,)
    assert np.isfinite(found).all()
    # The speaker encoder sets its own level.
    softer = by_chance.features(clip * np.float32(0.25))
    assert np.allclose(found[1024:], softer[1024:], atol=1e-3)
    other = by_chance.features(clip[::-1].copy())
    assert not np.allclose(found, other, atol=1e-3)
    # Shorter than a window of either.
    assert by_chance.features(clip[:500]).shape == (N_FEATURES,)
