"""MFCC and normalisation as one thing with one hash."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_stream.errors import ModelError
from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.front_end import FrontEnd, FrontEndConfig, frames_of
from ser_stream.pipeline.mfcc import MfccConfig
from ser_stream.pipeline.normalise import NormaliseConfig
from ser_stream.pipeline.values import Block, Chunk, FloatArray

CONFIG = FrontEndConfig()


def stream(chunks: list[Chunk]) -> list[tuple[int, FloatArray]]:
    blocker, front_end = Blocker(), FrontEnd(CONFIG)
    return [
        front_end.feed(block)
        for chunk in chunks
        for block in blocker.feed(chunk)
        if isinstance(block, Block)
    ]


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 30_000), max_size=40))
def test_any_chunking_gives_bit_identical_frames(
    cuts: list[int], clip: FloatArray
) -> None:
    edges = [0, *sorted(c for c in cuts if c < len(clip)), len(clip)]
    chunks = [Chunk(a, clip[a:b]) for a, b in pairwise(edges)]
    frames = np.concatenate([part for _, part in stream(chunks)])
    assert np.array_equal(frames, frames_of(clip, CONFIG))


def test_a_gap_resets_mfcc_and_normalisation(clip: FloatArray) -> None:
    loud = np.clip(3.0 * clip[:9000], -1.0, 1.0)
    after = Chunk(9001, clip[9001:20_000] * np.float32(0.1))
    alone = stream([after])
    both = stream([Chunk(0, loud), after])[-len(alone) :]
    for (first, frames), (alone_first, alone_frames) in zip(both, alone, strict=True):
        assert first == alone_first
        assert np.array_equal(frames, alone_frames)


def test_training_sees_the_frames_of_a_stream(clip: FloatArray) -> None:
    n_blocks = 1 + (len(clip) - 200) // 1600
    assert frames_of(clip, CONFIG).shape == (8 * n_blocks - 10, 39)
    assert frames_of(clip[:100], CONFIG).shape == (0, 39)


def test_frames_are_whole_steps_of_the_encoder_frames(clip: FloatArray) -> None:
    # 38 frames and column 0 are complete at sample 8200, not one sample earlier.
    assert len(frames_of(clip[:8200], CONFIG)) == 38
    assert len(frames_of(clip[:8199], CONFIG)) == 30


def test_the_hash_stands_for_every_parameter() -> None:
    variants = [
        CONFIG,
        FrontEndConfig(MfccConfig(amin=1e-10)),
        FrontEndConfig(MfccConfig(n_mels=64)),
        FrontEndConfig(MfccConfig(taper="hann-symmetric")),
        FrontEndConfig(normalise=NormaliseConfig("fixed")),
        FrontEndConfig(normalise=NormaliseConfig(leak_db_per_s=0.5)),
        FrontEndConfig(normalise=NormaliseConfig(floor_dbfs=-60.0)),
    ]
    assert len({config.hash for config in variants}) == len(variants)
    assert FrontEndConfig().hash == CONFIG.hash
    assert len(CONFIG.hash) == 64


def test_a_manifest_gives_back_the_same_front_end() -> None:
    for config in (CONFIG, FrontEndConfig(normalise=NormaliseConfig("fixed"))):
        again = FrontEndConfig.from_dict(config.to_dict())
        assert again == config
        assert again.hash == config.hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "another front end: version is 2, this version computes 1"),
        ({"block": 800}, "another front end: block is 800"),
        ({"mfcc": {"n_mels": 64}}, "another front end: mfcc is"),
        ({"mfcc": {"colour": 1}}, "incomplete: .*colour"),
        ({"normalise": None}, "incomplete"),
    ],
)
def test_a_front_end_this_code_cannot_compute_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        FrontEndConfig.from_dict({**CONFIG.to_dict(), **change})


def test_a_manifest_without_the_front_end_is_refused() -> None:
    with pytest.raises(ModelError, match="incomplete: 'mfcc'"):
        FrontEndConfig.from_dict({})
