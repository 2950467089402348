"""The pitchogram: how periodic a frame is, at each of 39 periods.

39 cepstral coefficients of 128 mel bands smooth the harmonics away, and with them the
pitch, the first cue of arousal. The autocorrelation of the same frame keeps it. It does
not depend on level, a channel's colour moves it little, and another pitch only shifts
it along the logarithmic axis.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.mfcc import MfccConfig, taper_of
from ser_stream.pipeline.values import FloatArray


@dataclass(frozen=True, slots=True)
class PitchConfig:
    """Which periods are looked at; part of the front-end hash of a bundle."""

    n_lags: int = 39
    """As many as MFCCs, so that both are one image for the network."""
    highest_hz: float = 500.0
    """Pitch of the first lag, 2 ms."""
    lowest_hz: float = 66.7
    """Pitch of the last lag; lags lie evenly in octaves."""


@lru_cache(maxsize=4)
def _tables(config: PitchConfig, mfcc: MfccConfig) -> tuple[NDArray[np.float64], ...]:
    """Power spectrum -> autocorrelation at the lags, as one matrix; and what scales it.

    The inverse transform of a power spectrum is a sum of cosines; 39 lags of it, with
    linear interpolation between whole samples, are a small matrix product.
    """
    rate, size = mfcc.sample_rate, mfcc.frame_length
    lags = rate / np.geomspace(config.highest_hz, config.lowest_hz, config.n_lags)
    below = np.floor(lags).astype(int)
    share = lags - below
    bins = np.arange(size // 2 + 1)
    twice = np.where((bins == 0) | (bins == size // 2), 1.0, 2.0)
    # The lowest two bins are a constant, which is no sound, and its leakage.
    twice[:2] = 0.0
    turns = 2 * np.pi * bins[:, None]
    here, there = (np.cos(turns * whole / size) for whole in (below, below + 1))
    at_lags = (1 - share) * here + share * there
    # A taper makes distant samples look less alike than they are (Boersma 1993).
    taper = taper_of(mfcc)
    own = np.fft.irfft(np.abs(np.fft.rfft(taper, 2 * size)) ** 2)
    own /= own[0]
    fading = (1 - share) * own[below] + share * own[below + 1]
    return twice[:, None] * at_lags / fading, twice


def pitchogram(
    power: NDArray[np.float64], config: PitchConfig, mfcc: MfccConfig
) -> FloatArray:
    """Normalised autocorrelation at logarithmically spaced lags.

    Source: P. Boersma, "Accurate short-term analysis of the fundamental frequency and
    the harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993: the
    autocorrelation of the tapered frame over that of the taper. Circular at the frame's
    length, of which the taper leaves next to nothing at these lags.

    Args:
        power: power spectra, (n, frame_length // 2 + 1), as `power_spectrum` gives.
        config: the lags.
        mfcc: the frames.

    Returns:
        (n, n_lags), about -1 to 1; near 1 at the period of a steady voice, 0 for
        silence and noise.
    """
    to_lags, twice = _tables(config, mfcc)
    energy = power @ twice
    result: FloatArray = ((power @ to_lags) / (energy + 1e-12)[:, None]).astype(
        np.float32
    )
    return result
