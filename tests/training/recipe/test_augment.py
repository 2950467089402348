"""What augmentation does to spectra is what the same would do to the waveform."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ser_stream.pipeline.floor import FloorConfig, NoiseFloor
from ser_stream.pipeline.front_end import FrontEndConfig, frames_of
from ser_stream.pipeline.mfcc import LOG_MEL, MfccConfig, dct_matrix
from ser_stream.pipeline.normalise import NormaliseConfig, Normaliser
from ser_stream.pipeline.pitch import PitchConfig
from ser_stream.pipeline.values import FloatArray
from training.recipe.config import AugmentConfig
from training.recipe.spectrogram_augment import (
    NoiseSpectra,
    WindowMaker,
    coloured_noise,
    floored,
    normalised,
)
from training.recipe.spectrogram_cache import (
    Spectra,
    level_of,
    mel_and_pitch,
    speech_span,
)
from training.recipe.waveform_augment import VARIANTS

PLAIN = AugmentConfig(
    variants=(1.0, 0.0, 0.0, 0.0, 0.0),
    level_dbfs=(-30.0, -30.0),
    warp=0.0,
    colour_db=0.0,
    pitch_octaves=0.0,
    noise_probability=0.0,
)
FRONT_END = FrontEndConfig(pitch=PitchConfig())


class OneClip:
    """A single clip, alike to itself alone."""

    def __init__(self, samples: FloatArray) -> None:
        mel, pitch = mel_and_pitch(samples)
        level = level_of(mel)
        self.one = Spectra(mel, pitch, 24, len(mel), level, 0.0, 0.0)

    def spectra(self, i: int) -> list[Spectra]:
        return [self.one] * len(VARIANTS)

    def alike(self, i: int) -> Sequence[int]:
        return [0]

    def same_speaker(self, i: int) -> Sequence[int]:
        return [0]


def windows(samples: FloatArray, augment: AugmentConfig, seed: int = 3) -> FloatArray:
    maker = WindowMaker(
        OneClip(samples),
        FRONT_END,
        augment,
        NoiseSpectra([]),
        np.random.default_rng(seed),
    )
    result: FloatArray = maker.windows(np.array([0, 0, 0]), 5).numpy()
    return result


def test_without_augmentation_windows_are_stretches_of_the_clip(
    clip: FloatArray,
) -> None:
    # All but c0, which is normalised, and room noise 40 dB and more below speech.
    pitch = mel_and_pitch(clip)[1]
    for window in windows(clip, PLAIN):
        lengths = [
            np.abs(pitch[s : s + 70].astype(np.float32) - window[:, 39:]).mean()
            for s in range(len(pitch) - 69)
        ]
        assert min(lengths) < 0.06


def test_features_of_cached_spectra_are_those_of_the_front_end(
    clip: FloatArray,
) -> None:
    mel, pitch = mel_and_pitch(clip)
    raw = FrontEndConfig(normalise=NormaliseConfig(kind="fixed"), pitch=PitchConfig())
    frames = frames_of(clip, raw)
    ours = mel.astype(np.float32) @ dct_matrix(39, 128).T.astype(np.float32)
    n = min(len(ours), len(frames))
    assert np.abs(ours[:n] - frames[:n, :39]).mean() < 0.05
    assert np.abs(pitch[:n].astype(np.float32) - frames[:n, 39:]).max() < 2e-3


def test_noise_added_to_spectra_is_noise_added_to_samples(
    clip: FloatArray, rng: np.random.Generator
) -> None:
    noise = 0.03 * coloured_noise(len(clip), rng)
    apart = [mel_and_pitch(x)[0].astype(np.float64) for x in (clip, noise)]
    summed = 10 * np.log10(10 ** (apart[0] / 10) + 10 ** (apart[1] / 10))
    together = mel_and_pitch(clip + noise)[0].astype(np.float64)
    # Where both are alike their phases matter; on the whole they do not.
    assert abs(np.median(summed - together)) < 0.3
    assert np.abs(summed - together).mean() < 2.0


@pytest.mark.parametrize("warm", [None, 300.0])
def test_many_windows_are_normalised_as_the_runtime_does_one(
    warm: float | None, rng: np.random.Generator
) -> None:
    config = NormaliseConfig()
    frames = rng.normal(-300.0, 150.0, (40, 39)).astype(np.float32)
    one = Normaliser(config)
    if warm is not None:
        one.reset(peak=warm)
    expected = np.concatenate([one.feed(frames[i : i + 8]) for i in range(0, 40, 8)])
    start = torch.tensor([-np.inf if warm is None else warm])
    many = normalised(torch.from_numpy(frames[None, :, 0].copy()), start, config)
    assert np.allclose(many[0].numpy(), expected[:, 0], atol=1e-3)


@pytest.mark.parametrize("mfcc", [MfccConfig(), LOG_MEL], ids=["mfcc", "log-mel"])
@pytest.mark.parametrize("warm", [None, -20.0])
def test_many_windows_get_the_floor_that_the_runtime_adds_to_one(
    warm: float | None, mfcc: MfccConfig, rng: np.random.Generator
) -> None:
    config, n = FloorConfig(below_peak_db=40.0), mfcc.frames_per_block
    mel = rng.uniform(-120.0, -30.0, (40, mfcc.n_mels))
    one = NoiseFloor(config, mfcc)
    if warm is not None:
        one.feed(np.full((n, mfcc.n_mels), 10 ** (warm / 10)))
    power = 10 ** (mel / 10)
    expected = np.concatenate([one.feed(power[i : i + n]) for i in range(0, 40, n)])
    start = torch.tensor([-np.inf if warm is None else warm])
    many = floored(
        torch.from_numpy(mel[None].astype(np.float32)),
        start,
        config,
        mfcc,
    )
    assert np.allclose(many[0].numpy(), 10 * np.log10(expected), atol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"level_dbfs": (-60.0, -20.0)},
        {"warp": 0.2},
        {"colour_db": 5.0},
        {"pitch_octaves": 0.5},
        {"noise_probability": 1.0},
        {"band_limit": 1.0},
        {"variants": (0.0, 1.0, 0.0, 0.0, 0.0)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_kind_gives_finite_frames(
    change: dict[str, Any], clip: FloatArray
) -> None:
    changed = windows(clip, replace(PLAIN, **change))
    assert np.isfinite(changed).all()
    assert np.abs(changed[:, :, 0]).max() < 5000


def test_level_alone_changes_nothing_behind_the_normalisation(
    clip: FloatArray,
) -> None:
    loud = windows(clip, PLAIN)
    quiet = windows(clip, replace(PLAIN, level_dbfs=(-45.0, -45.0)))
    assert np.abs(loud - quiet).max() < 0.05


def test_level_and_noise_are_what_is_asked_for(clip: FloatArray) -> None:
    raw = FrontEndConfig(normalise=NormaliseConfig(kind="fixed"), pitch=PitchConfig())

    def c0(**change: Any) -> FloatArray:
        augment = replace(PLAIN, **change)
        rng = np.random.default_rng(3)
        maker = WindowMaker(OneClip(clip), raw, augment, NoiseSpectra([]), rng)
        result: FloatArray = maker.windows(np.array([0, 0, 0]), 5).numpy()
        return result

    quieter = c0(level_dbfs=(-45.0, -45.0)) - c0()
    # 15 dB on each of 128 bands.
    assert np.allclose(quieter[:, :, 0], -15.0 * np.sqrt(128.0), atol=0.05)
    assert np.abs(quieter[:, :, 1:]).max() < 0.05
    loud = c0(noise_probability=1.0, snr_db=(0.0, 0.0))
    soft = c0(noise_probability=1.0, snr_db=(30.0, 30.0))
    # Noise fills the gaps of speech, and takes from the voice's share of power.
    assert (loud[:, :, 0].min(1) > soft[:, :, 0].min(1) + 100.0).all()
    voiced = soft[:, :, 39:].max(2) > 0.8
    assert voiced.sum() > 20
    share = loud[:, :, 39:].max(2)[voiced] / soft[:, :, 39:].max(2)[voiced]
    assert 0.3 < np.median(share) < 0.95
    assert np.abs(c0(warp=0.2) - c0())[:, :, 1:39].mean() > 1.0


def test_slower_and_faster_are(clip: FloatArray) -> None:
    rng = np.random.default_rng(1)
    slower, faster = (VARIANTS[name](clip, rng) for name in ("slower", "faster"))
    assert len(slower) > len(clip) > len(faster)


def test_pitch_moves_the_pitchogram_alone_and_colour_the_mfccs_alone(
    clip: FloatArray,
) -> None:
    plain = windows(clip, PLAIN)
    moved = windows(clip, replace(PLAIN, pitch_octaves=0.5))
    assert np.abs(moved - plain)[:, :, :39].max() < 1e-3
    assert np.abs(moved - plain)[:, :, 39:].mean() > 0.01
    maker = windows(clip, replace(PLAIN, colour_db=6.0))
    assert np.abs(maker - plain)[:, :, 1:9].mean() > 1.0


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_the_clip_still(name: str, clip: FloatArray) -> None:
    heard = VARIANTS[name](clip, np.random.default_rng(1))
    assert heard.dtype == np.float32
    assert np.isfinite(heard).all()
    speed = len(heard) / len(clip)
    assert (0.8 < speed < 1.2) if name in ("slower", "faster") else speed == 1.0
    # Its level to some dB, so that signal-to-noise ratios mean what they say.
    ratio = np.std(heard) / np.std(clip)
    assert 0.2 < ratio < 4.0


def test_the_span_of_speech_leaves_silence_out(clip: FloatArray) -> None:
    silence = np.zeros(16_000, np.float32)
    begin, end = speech_span(np.concatenate([silence, clip, silence]))
    assert 12_000 < begin < 22_000
    assert len(clip) + 10_000 < end < len(clip) + 20_000
    assert speech_span(np.zeros(8_000, np.float32)) == (0, 8_000)
