"""MFCCs as the authors' group computes them, against librosa."""

from dataclasses import replace

import librosa
import numpy as np
import pytest

from tests.helpers.minute import utterances_of_the_minute
from training.paper.cut_ends import CutPaddedMfccConfig, cut_ends
from training.paper.mfcc_cache import frames_of_clip
from training.paper.padded_mfcc import PaddedMfccConfig, padded_mfcc

SAID = utterances_of_the_minute()[0].samples
LONG = np.concatenate([SAID] * 4)


@pytest.mark.parametrize("n_samples", [len(LONG) - 4_001, len(LONG), len(LONG) + 5_001])
def test_what_librosa_makes_of_a_padded_clip_by_default(n_samples: int) -> None:
    config = PaddedMfccConfig(n_samples=n_samples)
    # As `get_feature` of the published code, for clips that are too long or too short.
    lacking = n_samples - len(LONG)
    half, rest = abs(lacking) // 2, abs(lacking) % 2
    padded = np.pad(LONG, (half, half + rest)) if lacking > 0 else LONG[half:]
    expected = librosa.feature.mfcc(y=padded[:n_samples], sr=22_050, n_mfcc=39).T
    found = padded_mfcc(LONG, config)
    assert found.shape == expected.shape == (config.n_frames, 39)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_silence_follows_the_peak_80_db_below_it() -> None:
    config = PaddedMfccConfig(n_samples=3 * len(SAID))
    found, quieter = padded_mfcc(SAID, config), padded_mfcc(0.1 * SAID, config)
    # The first coefficient of equal bands is their decibels times the root of 128.
    bands = np.sqrt(128.0)
    lower = replace(config, top_db=90.0)
    assert padded_mfcc(SAID, lower)[0, 0] - found[0, 0] == pytest.approx(-10.0 * bands)
    assert quieter[0, 0] - found[0, 0] == pytest.approx(-20.0 * bands, abs=0.1)
    np.testing.assert_allclose(found[0, 1:], 0.0, atol=1e-3)
    assert found[:, 0].min() == found[0, 0]


def test_ends_are_cut_by_chance_and_the_same_every_time() -> None:
    clips = [np.roll(SAID, k) for k in range(300)]
    found = [cut_ends(clip, 16_000, 0.03) for clip in clips]
    left = np.array([len(clip) for clip in found])
    assert left.min() >= len(SAID) - 2 * 480
    assert left.max() <= len(SAID)
    # Two even draws of 0 to 480: mean 480, deviation 196.
    assert (len(SAID) - left).mean() == pytest.approx(480, abs=40)
    assert (len(SAID) - left).std() == pytest.approx(196, abs=25)
    for clip, once in zip(clips[:3], found, strict=False):
        np.testing.assert_array_equal(cut_ends(clip, 16_000, 0.03), once)
        assert once.tobytes() in clip.tobytes()


def test_cut_clips_are_padded_to_the_same_length() -> None:
    config = CutPaddedMfccConfig(n_samples=3 * len(SAID))
    cut = cut_ends(SAID, config.sample_rate, config.cut_s)
    whole = PaddedMfccConfig(n_samples=3 * len(SAID))
    np.testing.assert_array_equal(frames_of_clip(SAID, config), padded_mfcc(cut, whole))
    assert not np.array_equal(cut, SAID)
