"""The noise floor under the mel bands: librosa's, causal, and deaf to empty bands."""

from itertools import pairwise

import numpy as np
import pytest
import soxr

from ser_stream.errors import ConfigError
from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.floor import FloorConfig, NoiseFloor, band_shares
from ser_stream.pipeline.front_end import FrontEnd, FrontEndConfig, frames_of
from ser_stream.pipeline.mfcc import MfccConfig
from ser_stream.pipeline.normalise import NormaliseConfig
from ser_stream.pipeline.values import Block, Chunk, FloatArray

librosa = pytest.importorskip("librosa")

RAW = FrontEndConfig(normalise=NormaliseConfig("fixed"), floor=FloorConfig())
WITHOUT = FrontEndConfig(normalise=NormaliseConfig("fixed"))


def with_floors(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Frames, (n, 39), and the power that was added to each, (n,)."""
    front_end, frames, floors = FrontEnd(RAW), [], []
    for block in Blocker().feed(Chunk(0, samples)):
        assert isinstance(block, Block)
        _, new = front_end.feed(block)
        frames.append(new)
        assert front_end.floor is not None
        floors += [front_end.floor.power] * len(new)
    return np.concatenate(frames), np.array(floors)


def test_with_the_same_floor_librosa_gives_the_same(clip: FloatArray) -> None:
    frames, floors = with_floors(clip)
    mel = librosa.feature.melspectrogram(
        y=clip, sr=16_000, n_fft=800, hop_length=200, center=False, n_mels=128
    )
    heard = mel[:, : len(frames)].astype(np.float64) + floors
    decibels = librosa.power_to_db(heard, amin=1e-14, top_db=None)
    expected = librosa.feature.mfcc(S=decibels, n_mfcc=39).T
    assert np.abs(frames - expected).max() < 1e-3


def test_the_floor_is_as_far_under_the_loudest_frame_as_it_says(
    rng: np.random.Generator,
) -> None:
    mel = rng.uniform(0.0, 1.0, (8, 128))
    floor = NoiseFloor(FloorConfig(below_peak_db=50.0, leak_db_per_s=1.0), MfccConfig())
    assert np.allclose(floor.feed(mel), mel + floor.power)
    loudest = (mel @ band_shares(MfccConfig())).max()
    assert floor.power == pytest.approx(loudest * 1e-5)
    # A second of silence later it is 1 dB lower.
    for _ in range(10):
        floor.feed(np.zeros((8, 128)))
    assert floor.power == pytest.approx(loudest * 1e-5 * 10**-0.1)
    floor.reset()
    assert not floor.feed(np.zeros((8, 128))).any()


def test_any_chunking_gives_bit_identical_frames(
    clip: FloatArray, rng: np.random.Generator
) -> None:
    edges = [0, *sorted(rng.integers(0, len(clip), 30)), len(clip)]
    front_end, blocker, frames = FrontEnd(RAW), Blocker(), []
    for a, b in pairwise(edges):
        for block in blocker.feed(Chunk(int(a), clip[a:b])):
            assert isinstance(block, Block)
            frames.append(front_end.feed(block)[1])
    assert np.array_equal(np.concatenate(frames), frames_of(clip, RAW))


def test_a_gap_forgets_the_voice(clip: FloatArray) -> None:
    blocker, front_end = Blocker(), FrontEnd(RAW)
    quiet = Chunk(20_001, clip[20_001:40_000] * np.float32(0.01))
    for item in blocker.feed(Chunk(0, clip[:20_000])):
        assert isinstance(item, Block)
        front_end.feed(item)
    after = [front_end.feed(b)[1] for b in blocker.feed(quiet) if isinstance(b, Block)]
    alone = FrontEnd(RAW)
    expected = [alone.feed(b)[1] for b in Blocker().feed(quiet) if isinstance(b, Block)]
    assert np.array_equal(np.concatenate(after), np.concatenate(expected))


def test_a_quiet_recording_gets_as_much_as_a_loud_one(clip: FloatArray) -> None:
    loud, quiet = (frames_of(clip * np.float32(g), RAW) for g in (1.0, 0.01))
    assert np.abs(loud[:, 1:] - quiet[:, 1:]).max() < 1e-2
    c0_per_db = np.sqrt(128.0)
    assert np.allclose(loud[:, 0] - quiet[:, 0], 40 * c0_per_db, atol=1e-2)


def test_bands_that_hold_nothing_move_the_coefficients_less(clip: FloatArray) -> None:
    narrow = soxr.resample(soxr.resample(clip, 16_000, 8_000), 8_000, 16_000)
    narrow = narrow[: len(clip)]
    moved = [
        np.abs(frames_of(clip, c)[:, 1:] - frames_of(narrow, c)[:, 1:]).mean()
        for c in (WITHOUT, RAW)
    ]
    assert moved[1] < 0.6 * moved[0]


def test_digital_silence_is_finite() -> None:
    assert np.isfinite(frames_of(np.zeros(20_000, np.float32), RAW)).all()


def test_a_manifest_says_it(clip: FloatArray) -> None:
    del clip
    assert FrontEndConfig.from_dict(RAW.to_dict()) == RAW
    assert "floor" not in WITHOUT.to_dict()
    assert RAW.hash != WITHOUT.hash


@pytest.mark.parametrize(
    "values", [{"below_peak_db": 0.0}, {"below_peak_db": np.nan}, {"leak_db_per_s": -1}]
)
def test_what_is_no_floor_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="allowed: above 0, and 0 or more"):
        FloorConfig(**values)
