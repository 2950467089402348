"""The MFCCs are librosa's, and the same however the audio was cut."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.mfcc import (
    LOG_MEL,
    Mfcc,
    MfccConfig,
    dct_matrix,
    hz_to_mel,
    mel_filter_bank,
    mel_to_hz,
    mfcc_of_frames,
)
from ser_stream.pipeline.values import Block, Chunk, FloatArray

CASES = (
    "03a01Wa",
    "08a04Ff",
    "10a01Nb",
    "11a07Ta",
    "15a02Ac",
    "16a04La",
    "quiet",
    "silence",
)


def signal(case: str, clips: dict[str, FloatArray]) -> FloatArray:
    """As `data/make_mfcc_reference.py` makes it."""
    if case == "quiet":
        return clips["08a04Ff"] * np.float32(1e-3)
    if case == "silence":
        samples = clips["03a01Wa"].copy()
        samples[8000:16000] = 0.0
        return samples
    return clips[case]


def framed(samples: FloatArray) -> FloatArray:
    frames: FloatArray = np.lib.stride_tricks.sliding_window_view(samples, 800)[::200]
    return frames


def stream(
    chunks: list[Chunk], config: MfccConfig | None = None
) -> tuple[list[int], list[FloatArray]]:
    """First indices and frames of all blocks that have frames."""
    blocker, mfcc = Blocker(), Mfcc(config)
    firsts, parts = [], []
    for chunk in chunks:
        for block in blocker.feed(chunk):
            if isinstance(block, Block):
                first, frames = mfcc.feed(block)
                if len(frames):
                    firsts.append(first)
                    parts.append(frames)
    return firsts, parts


@pytest.fixture(scope="module")
def reference(data: Path) -> dict[str, FloatArray]:
    with np.load(data / "mfcc_reference.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("case", CASES)
def test_a_stream_gives_the_mfccs_of_librosa(
    case: str, clips: dict[str, FloatArray], reference: dict[str, FloatArray]
) -> None:
    samples = signal(case, clips)
    firsts, parts = stream([Chunk(0, samples)])
    frames = np.concatenate(parts)
    assert firsts[0] == 0
    assert frames.dtype == np.float32
    # The frames that end after the last whole block are still to come.
    assert 0 <= len(reference[case]) - len(frames) < 8
    assert np.abs(frames - reference[case][: len(frames)]).max() < 1e-3


def test_the_reference_holds_every_case_and_no_other(
    reference: dict[str, FloatArray],
) -> None:
    assert set(reference) == set(CASES)
    assert all(len(array) > 100 for array in reference.values())


def test_a_symmetric_taper_would_not_pass(
    clip: FloatArray, reference: dict[str, FloatArray]
) -> None:
    # scipy's and numpy's default. Periodic times x is symmetric, where x undoes it.
    n = np.arange(800)
    periodic = 0.5 - 0.5 * np.cos(2 * np.pi * n / 800)
    symmetric = np.hanning(800)
    ratio = np.divide(symmetric, periodic, out=np.zeros(800), where=periodic > 0)
    frames = mfcc_of_frames(framed(clip) * ratio)
    assert np.abs(frames - reference["03a01Wa"]).max() > 1e-2


def test_a_floor_of_1e_10_would_not_pass_on_a_quiet_voice(
    clips: dict[str, FloatArray], reference: dict[str, FloatArray]
) -> None:
    frames = mfcc_of_frames(framed(signal("quiet", clips)), MfccConfig(amin=1e-10))
    assert np.abs(frames - reference["quiet"]).max() > 1.0


@pytest.mark.parametrize("start", [0, 3_333])
def test_log_mel_bands_are_those_of_librosa(start: int, clip: FloatArray) -> None:
    librosa = pytest.importorskip("librosa")
    samples = clip[:20_000]
    power = librosa.feature.melspectrogram(
        y=np.pad(samples, (start, 0)),
        sr=16_000,
        n_fft=400,
        hop_length=160,
        n_mels=80,
        center=False,
    )
    expected = librosa.power_to_db(power, amin=1e-14, top_db=None).T
    firsts, parts = stream([Chunk(start, samples)], LOG_MEL)
    frames = np.concatenate(parts)
    first = firsts[0]
    # The first that holds nothing of what was before the stream.
    assert first == -(-start // 160)
    assert 0 <= len(expected) - first - len(frames) < 10
    assert np.abs(frames - expected[first : first + len(frames)]).max() < 1e-3


def test_digital_silence_reads_as_the_floor_in_c0_and_nothing_else() -> None:
    frames = mfcc_of_frames(np.zeros((3, 800), np.float32))
    assert np.allclose(frames[:, 0], -140.0 * np.sqrt(128.0), atol=1e-3)
    assert np.abs(frames[:, 1:]).max() < 1e-3


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=40))
def test_any_chunking_gives_bit_identical_frames(
    cuts: list[int], clip: FloatArray
) -> None:
    samples = clip[:20_000]
    edges = [0, *sorted(cuts), len(samples)]
    chunks = [Chunk(a, samples[a:b]) for a, b in pairwise(edges)]
    firsts, parts = stream([Chunk(0, samples)])
    cut_firsts, cut_parts = stream(chunks)
    assert cut_firsts == firsts
    assert np.array_equal(np.concatenate(cut_parts), np.concatenate(parts))


def test_single_samples_give_bit_identical_frames(clip: FloatArray) -> None:
    samples = clip[:6000]
    one_by_one = [Chunk(i, samples[i : i + 1]) for i in range(len(samples))]
    assert np.array_equal(
        np.concatenate(stream(one_by_one)[1]),
        np.concatenate(stream([Chunk(0, samples)])[1]),
    )


@settings(max_examples=25)
@given(start=st.integers(0, 4000))
def test_frame_i_starts_at_sample_200_i_wherever_the_stream_begins(
    start: int, clip: FloatArray
) -> None:
    samples = clip[: start + 6000]
    firsts, parts = stream([Chunk(start, samples[start:])])
    assert firsts[0] == -(-start // 200)
    frames = np.concatenate(parts)
    expected = mfcc_of_frames(framed(samples)[firsts[0] : firsts[0] + len(frames)])
    assert np.allclose(frames, expected, atol=1e-3)


def test_no_frame_reaches_back_over_a_gap(clip: FloatArray) -> None:
    before, after = Chunk(0, clip[:7000]), Chunk(9100, clip[9100:20_000])
    firsts, parts = stream([before, after])
    alone_firsts, alone_parts = stream([after])
    n = len(alone_firsts)
    assert firsts[-n:] == alone_firsts
    assert alone_firsts[0] == 46  # 9200 is the first multiple of 200 from 9100
    for a, b in zip(parts[-n:], alone_parts, strict=True):
        assert np.array_equal(a, b)


def test_the_mel_scale_is_slaneys() -> None:
    # Linear below 1 kHz: 15 mel there; above, 27 mel are a factor of 6.4.
    hertz = np.array([0.0, 200.0 / 3, 1000.0, 6400.0])
    assert np.allclose(hz_to_mel(hertz), [0.0, 1.0, 15.0, 42.0])
    assert np.allclose(mel_to_hz(hz_to_mel(hertz)), hertz)


def test_every_mel_band_has_weight_and_about_unit_area() -> None:
    bank = mel_filter_bank(MfccConfig())
    assert bank.shape == (128, 401)
    assert (bank.sum(1) > 0).all()
    # Bins are 20 Hz apart; narrow triangles are sampled coarsely.
    assert np.allclose(bank.sum(1) * 20.0, 1.0, atol=0.45)
    assert np.allclose(bank[64:].sum(1) * 20.0, 1.0, atol=0.05)


def test_the_cosine_transform_is_orthonormal() -> None:
    matrix = dct_matrix(39, 128)
    assert np.allclose(matrix @ matrix.T, np.eye(39))
