"""Spectra of clips -> batches of windows of frames, as a running daemon would see them.

What is done to the mel spectrum: another utterance of the same speaker and emotion
joined on where a clip is too short; noise added; the frequency axis stretched (another
vocal tract); colour added (another room and microphone); level set. Then the front
end's own transform and normalisation. On the pitchogram: fading by the noise, and
another pitch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser_stream.pipeline.floor import FloorConfig, NoiseFloor, band_shares
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.mfcc import MfccConfig, dct_matrix, hz_to_mel
from ser_stream.pipeline.normalise import C0_PER_DB, NormaliseConfig, Normaliser
from ser_stream.pipeline.pipeline import PRE_ROLL
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from training.recipe.config import AugmentConfig
from training.recipe.spectrogram_cache import (
    CPAC_SPECTRA,
    Spectra,
    level_of,
    mel_and_pitch,
)
from training.recipe.waveform_augment import VARIANTS

LN_PER_DB = float(np.log(10.0) / 10.0)
WHITE_NOISE_DB = 12.0
"""What white noise of 0 dBFS reads on every mel band; see `pipeline.normalise`."""


class Clips(Protocol):
    """What windows are cut from."""

    def spectra(self, i: int) -> list[Spectra]:
        """The variants of clip `i`."""

    def alike(self, i: int) -> Sequence[int]:
        """Clips of the same speaker and emotion, `i` among them."""

    def same_speaker(self, i: int) -> Sequence[int]:
        """Clips of the same speaker, `i` among them."""


@dataclass(frozen=True, slots=True)
class _Cut:
    mel: FloatArray
    """(T, n_mels), dB, speech at 0."""
    pitch: FloatArray
    noise: FloatArray
    """(T, n_mels), dB on the same scale."""
    peak: float
    """Of c0, at speech of 0 dB, in the audio before; -inf if there was none."""
    loudest: float
    """Frame in the audio before, likewise."""


def coloured_noise(n: int, rng: np.random.Generator) -> FloatArray:
    """Noise whose power falls with a random exponent from 0 (white) to 2 (brown)."""
    size = 1 << (n - 1).bit_length()  # other sizes take several times as long
    spectrum = np.fft.rfft(rng.standard_normal(size))
    f = np.arange(1, len(spectrum) + 1, dtype=float)
    noise = np.fft.irfft(spectrum / f ** (rng.uniform(0.0, 2.0) / 2))[:n]
    return (noise / (np.std(noise) + 1e-12)).astype(np.float32)


class NoiseSpectra:
    """Mel spectra of noise at level 0: half from recordings, half synthetic."""

    N_SYNTHETIC, SYNTHETIC_SAMPLES = 24, 160_000

    def __init__(
        self,
        recordings: Sequence[FloatArray],
        front_end: FrontEndConfig = CPAC_SPECTRA,
    ) -> None:
        front_end = replace(front_end, pitch=None)
        self._synthetic = _synthetic(
            self.N_SYNTHETIC, self.SYNTHETIC_SAMPLES, front_end
        )
        self._recorded = [_at_zero(samples, front_end) for samples in recordings]

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """A stretch of n frames, (n, n_mels), repeated where it is too short."""
        kind = self._synthetic
        if self._recorded and rng.random() < 0.5:
            kind = self._recorded
        mel = kind[rng.integers(len(kind))]
        start = int(rng.integers(len(mel)))
        return mel[(start + np.arange(n)) % len(mel)]


@cache
def _synthetic(n: int, length: int, front_end: FrontEndConfig) -> list[FloatArray]:
    """The same in every training, and so in all those of a process."""
    rng = np.random.default_rng(0)
    made = [coloured_noise(length, rng) for _ in range(n)]
    return [_at_zero(samples, front_end) for samples in made]


def _at_zero(samples: FloatArray, front_end: FrontEndConfig) -> FloatArray:
    mel = mel_and_pitch(samples, front_end)[0].astype(np.float32)
    return mel - np.float32(level_of(mel, front_end.mfcc))


class WindowMaker:
    """Makes batches of augmented windows; one random generator decides everything."""

    def __init__(
        self,
        clips: Clips,
        front_end: FrontEndConfig,
        augment: AugmentConfig,
        noises: NoiseSpectra,
        rng: np.random.Generator,
        geometry: Geometry = CPAC,
    ) -> None:
        self.geometry = geometry
        self._clips = clips
        self._front_end = front_end
        self._augment = augment
        self._noises = noises
        self.rng = rng
        self._dct = torch.from_numpy(
            dct_matrix(front_end.mfcc.n_mfcc, front_end.mfcc.n_mels)
            .T.astype(np.float32)
            .copy()
        )
        shares = band_shares(front_end.mfcc)
        self._shares = torch.from_numpy(shares.astype(np.float32))
        # Mels between the centres of two bands.
        top = float(hz_to_mel(np.array([SAMPLE_RATE / 2]))[0])
        self._mel_width = top / (front_end.mfcc.n_mels + 1)

    def windows(self, rows: NDArray[np.integer], n: int) -> Tensor:
        """Normalised frames of windows of n columns, (B, n_frames, n_features).

        Args:
            rows: a clip for each window.
            n: columns, 1 to the longest window's.
        """
        n_frames = self.geometry.n_frames(n)
        cuts = [self._cut(i, n_frames) for i in rows]
        mel = torch.from_numpy(np.stack([cut.mel for cut in cuts]))
        noise = torch.from_numpy(np.stack([cut.noise for cut in cuts]))
        peak = torch.tensor([cut.peak for cut in cuts], dtype=torch.float32)
        share = self._share_of_voice(mel, noise)
        # Powers of sounds that know nothing of each other add.
        mel = torch.logaddexp(mel * LN_PER_DB, noise * LN_PER_DB) / LN_PER_DB
        mel = self._band_limited(self._coloured(self._stretched(mel)))
        if self._front_end.floor is not None:
            loudest = torch.tensor([c.loudest for c in cuts], dtype=torch.float32)
            mel = floored(mel, loudest, self._front_end.floor, self._front_end.mfcc)
        level = self._drawn(*self._augment.level_dbfs, len(cuts)) + WHITE_NOISE_DB
        mel = mel + level[:, None, None]
        if self._front_end.mfcc.dct == "none":
            return mel
        frames = mel @ self._dct
        frames[:, :, 0] = normalised(
            frames[:, :, 0], peak + C0_PER_DB * level, self._front_end.normalise
        )
        if self._front_end.pitch is None:
            return frames
        pitch = torch.from_numpy(np.stack([cut.pitch for cut in cuts])) * share
        return torch.cat([frames, self._other_pitch(pitch)], dim=-1)

    def _drawn(self, low: float, high: float, n: int) -> Tensor:
        return torch.from_numpy(self.rng.uniform(low, high, n).astype(np.float32))

    def _cut(self, i: int, n_frames: int) -> _Cut:
        rng, augment = self.rng, self._augment
        variant = int(rng.choice(len(VARIANTS), p=augment.variants))
        if variant >= len(self._clips.spectra(i)):
            variant = 0  # Of some clips there is no other.
        spectra = self._clips.spectra(i)[variant]
        mel, pitch = self._joined(i, variant, n_frames)
        # There is always some room noise; sometimes it is loud.
        snr = rng.uniform(40.0, 65.0)
        if rng.random() < augment.noise_probability:
            snr = rng.uniform(*augment.snr_db)
        peak = loudest = -np.inf
        # A running daemon knows this microphone already, most of the time.
        if rng.random() < 0.7:
            others = self._clips.same_speaker(i)
            heard = self._clips.spectra(others[int(rng.integers(len(others)))])[0]
            peak = heard.peak - C0_PER_DB * spectra.level
            loudest = heard.loudest - spectra.level
        return _Cut(
            mel - np.float32(spectra.level),
            pitch,
            self._noises.draw(n_frames, rng) - np.float32(snr),
            peak,
            loudest,
        )

    def _joined(self, i: int, variant: int, n_frames: int) -> tuple[FloatArray, ...]:
        # Short windows are mostly the beginning of an utterance: the runtime's window
        # grows from where speech began. Long ones slide.
        rng, margin = self.rng, PRE_ROLL // self._front_end.mfcc.hop_length
        spectra = self._clips.spectra(i)[variant]
        begin = max(0, spectra.begin - margin)
        end = min(len(spectra.mel), spectra.end + margin)
        if rng.random() < 0.5 or end - begin <= n_frames:
            start = max(0, begin + int(rng.integers(-4, 5)))
        else:
            start = begin + int(rng.integers(end - begin - n_frames + 1))
        end = min(end, start + n_frames)
        mels, pitches = [spectra.mel[start:end]], [spectra.pitch[start:end]]
        missing = n_frames - (end - start)
        alike = self._clips.alike(i)
        while missing > 0:
            more = self._clips.spectra(alike[int(rng.integers(len(alike)))])[variant]
            # After a pause that the speech gate would keep in the window.
            start = max(0, more.begin - int(rng.integers(margin)))
            end = min(more.end + int(rng.integers(margin)), start + missing)
            mels.append(more.mel[start:end] - np.float16(more.level - spectra.level))
            pitches.append(more.pitch[start:end])
            missing -= len(mels[-1])
        mel = np.concatenate(mels).astype(np.float32)
        return mel, np.concatenate(pitches).astype(np.float32)

    def _share_of_voice(self, mel: Tensor, noise: Tensor) -> Tensor:
        # The autocorrelation of a sum is the sum of autocorrelations; the normalised
        # one of the voice fades by its share of power. That of the noise is taken for
        # zero, which is not true of brown noise and of music: see docs/model.md.
        voice = torch.exp(mel * LN_PER_DB) @ self._shares
        other = torch.exp(noise * LN_PER_DB) @ self._shares
        return (voice / (voice + other))[:, :, None]

    def _stretched(self, mel: Tensor) -> Tensor:
        # Vocal tract length perturbation (Jaitly and Hinton 2013), on the mel axis.
        most = float(np.log1p(self._augment.warp))
        factor = torch.exp(self._drawn(-most, most, len(mel)))
        return resampled(mel, torch.arange(mel.shape[2])[None] * factor[:, None])

    def _coloured(self, mel: Tensor) -> Tensor:
        # A smooth curve: cosines over the mel axis, the quicker the weaker.
        k = np.arange(1, 9)
        size = self._augment.colour_db / np.sqrt(k)
        weights = self.rng.standard_normal((len(mel), len(k))) * size
        bands = (np.arange(mel.shape[2]) + 0.5) / mel.shape[2]
        curve = weights @ np.cos(np.pi * k[:, None] * bands)
        return mel + torch.from_numpy(curve.astype(np.float32))[:, None]

    def _band_limited(self, mel: Tensor) -> Tensor:
        # Telephones, codecs and cheap microphones: above a cut-off, and for a telephone
        # below another, nothing is left. Slopes of 1 to 6 dB a mel band.
        rng, most = self.rng, mel.shape[2]
        if not self._augment.band_limit:
            return mel
        bands, curves = np.arange(most), np.zeros((len(mel), most), np.float32)
        for curve in curves:
            if rng.random() >= self._augment.band_limit:
                continue
            top = (
                hz_to_mel(np.array([rng.uniform(3000.0, 7600.0)]))[0] / self._mel_width
            )
            over = np.maximum(0.0, bands - top)
            if rng.random() < 0.5:
                low = (
                    hz_to_mel(np.array([rng.uniform(50.0, 350.0)]))[0] / self._mel_width
                )
                over += np.maximum(0.0, low - bands)
            curve -= np.minimum(90.0, rng.uniform(2.0, 12.0) * over)
        return mel + torch.from_numpy(curves)[:, None]

    def _other_pitch(self, pitch: Tensor) -> Tensor:
        lags = self._front_end.pitch
        assert lags is not None
        octaves = np.log2(lags.highest_hz / lags.lowest_hz)
        most = self._augment.pitch_octaves * (lags.n_lags - 1) / octaves
        shift = self._drawn(-most, most, len(pitch))
        place = torch.arange(lags.n_lags)[None] + shift[:, None]
        inside = (place >= 0) & (place <= lags.n_lags - 1)
        return resampled(pitch, place) * inside[:, None]

    def masked(self, frames: Tensor, mean: Tensor) -> Tensor:
        """Set some stretches of the frames of each window to the mean."""
        frames = frames.clone()
        n_frames = frames.shape[1]
        for window in frames:
            for _ in range(self.rng.integers(self._augment.time_masks + 1)):
                size = int(self.rng.integers(1, self._augment.time_mask_frames + 1))
                start = int(self.rng.integers(max(1, n_frames - size)))
                window[start : start + size] = mean
        return frames


def resampled(x: Tensor, place: Tensor) -> Tensor:
    """Values of x, (B, T, K), at fractional places, (B, K), of its last axis."""
    size = x.shape[2]
    place = place.clamp(0, size - 1.001)
    below = place.floor().long()
    share = (place - below)[:, None]
    index = below[:, None].expand(-1, x.shape[1], -1)
    return x.gather(2, index) * (1 - share) + x.gather(2, index + 1) * share


def floored(
    mel: Tensor,
    loudest: Tensor,
    config: FloorConfig,
    mfcc: MfccConfig = CPAC_SPECTRA.mfcc,
) -> Tensor:
    """`NoiseFloor` on the mel spectra of many windows at once, (B, T, n_mels), dB.

    Args:
        mel: of each window.
        loudest: the running maximum that each begins with, dB, (B,); -inf for a cold
            one.
        config: how far under it.
        mfcc: how the spectra were made.
    """
    shares = torch.from_numpy(band_shares(mfcc).astype(np.float32))
    per_block = mfcc.frames_per_block
    power = torch.exp(mel * LN_PER_DB) @ shares
    peak = torch.exp(loudest * LN_PER_DB)
    kept = NoiseFloor(config, mfcc).kept
    peaks = torch.empty_like(power)
    for i in range(0, power.shape[1], per_block):
        block = power[:, i : i + per_block]
        peak = torch.maximum(kept * peak, block.amax(1))
        peaks[:, i : i + per_block] = peak[:, None]
    floor = torch.log(peaks) - config.below_peak_db * LN_PER_DB
    return torch.logaddexp(mel * LN_PER_DB, floor[:, :, None]) / LN_PER_DB


def normalised(c0: Tensor, peak: Tensor, config: NormaliseConfig) -> Tensor:
    """`Normaliser` on the c0 of many windows at once, (B, T).

    Args:
        c0: of each window's frames.
        peak: the running maximum that each begins with, (B,); -inf for a cold one.
        config: which normalisation.
    """
    if config.kind == "fixed":
        return c0
    one = Normaliser(config)
    result = torch.empty_like(c0)
    peak = peak.clamp(min=one.floor)
    per_block = CPAC_SPECTRA.mfcc.frames_per_block
    for i in range(0, c0.shape[1], per_block):
        block = c0[:, i : i + per_block]
        leaked = (peak - one.leak).clamp(min=one.floor)
        peak = torch.maximum(leaked, block.amax(1))
        result[:, i : i + per_block] = block - peak[:, None]
    return result
