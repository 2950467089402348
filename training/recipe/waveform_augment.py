"""A clip as other throats, rooms and channels would give it: five waveforms of one.

What acts on single samples, or needs a filter, is done once and kept; what can be done
on spectra (noise, colour, level, other vocal tracts) is drawn anew in every epoch, in
`training.recipe.spectrogram_augment`.
"""

import io
from collections.abc import Callable

import numpy as np
import soundfile
import soxr
from scipy.signal import butter, fftconvolve, sosfilt

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray


def slower(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Played at 0.84 to 0.95 of its speed: lower, longer throat, less haste."""
    return _resampled(x, rng.uniform(0.84, 0.95))


def faster(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Played at 1.05 to 1.2 of its speed."""
    return _resampled(x, rng.uniform(1.05, 1.2))


def _resampled(x: FloatArray, speed: float) -> FloatArray:
    result: FloatArray = soxr.resample(x, speed, 1.0).astype(np.float32)
    return result


def reverberant(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """In a room: decaying noise, T60 0.2 to 0.9 s, direct sound -3 to 10 dB above.

    A statistical room (Polack 1988): no corpus of impulse responses is needed.
    """
    t60 = rng.uniform(0.2, 0.9)
    t = np.arange(round(t60 * SAMPLE_RATE)) / SAMPLE_RATE
    room = rng.standard_normal(len(t)) * 10 ** (-3.0 * t / t60)
    room /= np.linalg.norm(room) * 10 ** (rng.uniform(-3.0, 10.0) / 20)
    room[0] = 1.0
    result: FloatArray = fftconvolve(x, room)[: len(x)].astype(np.float32)
    return result


def coded(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Through a telephone (mu-law, 250 to 3500 Hz), Opus at a low rate, or clipped."""
    peak = float(np.abs(x).max()) + 1e-9
    way = (_telephone, _opus, _clipped)[rng.integers(3)]
    # Codecs expect speech at a usual level; it gets its own back.
    return (way(x / peak * 0.7, rng) * (peak / 0.7)).astype(np.float32)


def _telephone(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    del rng
    narrow = soxr.resample(x, SAMPLE_RATE, 8000)
    band = butter(2, [250, 3500], "bandpass", fs=8000, output="sos")
    narrow = np.clip(sosfilt(band, narrow), -1.0, 1.0)
    code = np.round(
        127 * np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / 8 / np.log(2)
    )
    heard = np.sign(code) * np.expm1(np.abs(code) / 127 * 8 * np.log(2)) / 255
    result: FloatArray = soxr.resample(heard, 8000, SAMPLE_RATE)
    return result


def _opus(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    file = io.BytesIO()
    soundfile.write(
        file,
        x,
        SAMPLE_RATE,
        format="OGG",
        subtype="OPUS",
        compression_level=float(rng.uniform(0.85, 1.0)),
    )
    file.seek(0)
    result: FloatArray = soundfile.read(file, dtype="float32")[0]
    return result


def _clipped(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    louder = np.float32(10 ** (rng.uniform(6.0, 16.0) / 20))
    result: FloatArray = np.clip(x * louder, -0.7, 0.7)
    return result


VARIANTS: dict[str, Callable[[FloatArray, np.random.Generator], FloatArray]] = {
    "original": lambda x, rng: x,
    "slower": slower,
    "faster": faster,
    "reverberant": reverberant,
    "coded": coded,
}
"""By name; `AugmentConfig` says how often each is drawn."""
