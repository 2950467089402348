"""Clips -> windows of frames as the running daemon would see them."""

from collections.abc import Sequence

import numpy as np
import soxr

from ser_stream.front_end import FrontEndConfig
from ser_stream.mfcc import FRAMES_PER_BLOCK, mfcc_of_frames
from ser_stream.normalise import C0_PER_DB, Normaliser
from ser_stream.pipeline import PRE_ROLL
from ser_stream.values import SAMPLE_RATE, FloatArray
from ser_stream.window import EXTRA_FRAMES
from training.config import AugmentConfig


def coloured_noise(n: int, rng: np.random.Generator) -> FloatArray:
    """Noise whose power falls with a random exponent from 0 (white) to 2 (brown)."""
    size = 1 << (n - 1).bit_length()  # other sizes take several times as long
    spectrum = np.fft.rfft(rng.standard_normal(size))
    f = np.arange(1, len(spectrum) + 1, dtype=float)
    noise = np.fft.irfft(spectrum / f ** (rng.uniform(0.0, 2.0) / 2))[:n]
    return (noise / (np.std(noise) + 1e-12)).astype(np.float32)


class WindowMaker:
    """Makes augmented windows; one random generator decides everything."""

    def __init__(
        self,
        front_end: FrontEndConfig,
        augment: AugmentConfig,
        noises: Sequence[FloatArray],
        rng: np.random.Generator,
    ) -> None:
        self.front_end = front_end
        self.augment = augment
        self.noises = [noise / (np.std(noise) + 1e-9) for noise in noises]
        self.rng = rng

    def _noise(self, n: int) -> FloatArray:
        # Unit deviation; half from recordings, half synthetic.
        if not self.noises or self.rng.random() < 0.5:
            return coloured_noise(n, self.rng)
        noise = self.noises[self.rng.integers(len(self.noises))]
        start = self.rng.integers(len(noise))
        return np.take(noise, np.arange(start, start + n), mode="wrap")

    def window(self, samples: FloatArray, warm_up: FloatArray, n: int) -> FloatArray:
        """One window of n columns.

        Args:
            samples: a clip, shape (m,).
            warm_up: another clip of the speaker, said before; it only sets the level
                that the causal normalisation remembers.
            n: columns, 1 to 25.

        Returns:
            Normalised frames, shape (8 n + 30, 39).
        """
        rng, augment = self.rng, self.augment
        speed = float(np.exp(rng.uniform(*np.log(augment.speed))))
        if speed != 1.0:
            samples = soxr.resample(samples, speed, 1.0, quality="MQ")
        n_frames = FRAMES_PER_BLOCK * n + EXTRA_FRAMES
        hop = self.front_end.mfcc.hop_length
        length = (n_frames - 1) * hop + self.front_end.mfcc.frame_length
        before = int(rng.integers(PRE_ROLL + SAMPLE_RATE // 4))
        after = max(0, length - before - len(samples))
        # Short windows are mostly the beginning of an utterance: the runtime's window
        # grows from where speech began. Long ones slide.
        room = max(1, before + len(samples) + after - length + 1)
        if rng.random() < 0.5:
            start = min(room - 1, max(0, before - PRE_ROLL))
        else:
            start = int(rng.integers(room))
        x = np.pad(samples, (before, after))[start : start + length]

        speech_level = float(np.sqrt(np.mean(np.square(samples)))) + 1e-9
        # There is always some room noise; sometimes it is loud.
        snr = rng.uniform(40.0, 65.0)
        if rng.random() < augment.noise_probability:
            snr = rng.uniform(*augment.snr_db)
        x = x + np.float32(speech_level * 10 ** (-snr / 20)) * self._noise(len(x))
        gain_db = rng.uniform(*augment.gain_db)
        x = np.clip(x * np.float32(10 ** (gain_db / 20)), -1.0, 1.0)

        windows = np.lib.stride_tricks.sliding_window_view(
            x, self.front_end.mfcc.frame_length
        )[::hop]
        frames = mfcc_of_frames(windows, self.front_end.mfcc)
        return self._normalised(frames, warm_up, gain_db)

    def _normalised(
        self, frames: FloatArray, warm_up: FloatArray, gain_db: float
    ) -> FloatArray:
        normaliser = Normaliser(self.front_end.normalise)
        # A running daemon has heard this microphone before, most of the time.
        if self.rng.random() < 0.7:
            size = self.front_end.mfcc.frame_length
            loudest = loudest_frame(warm_up, size)
            c0 = float(mfcc_of_frames(loudest[None], self.front_end.mfcc)[0, 0])
            normaliser.reset(peak=c0 + C0_PER_DB * gain_db)
        parts = [
            normaliser.feed(frames[i : i + FRAMES_PER_BLOCK])
            for i in range(0, len(frames), FRAMES_PER_BLOCK)
        ]
        return np.concatenate(parts)

    def masked(self, frames: FloatArray, mean: FloatArray) -> FloatArray:
        """Set some stretches of frames to the mean."""
        frames = frames.copy()
        for _ in range(self.rng.integers(self.augment.time_masks + 1)):
            size = int(self.rng.integers(1, self.augment.time_mask_frames + 1))
            start = int(self.rng.integers(max(1, len(frames) - size)))
            frames[start : start + size] = mean
        return frames


def loudest_frame(samples: FloatArray, size: int) -> FloatArray:
    """The loudest of the frames that lie end to end, shape (size,)."""
    if len(samples) < size:
        return np.pad(samples, (0, size - len(samples)))
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    loudest: FloatArray = frames[np.square(frames).sum(1).argmax()]
    return loudest
