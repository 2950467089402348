"""Sounds that no microphone recorded: noise of all colours, hum, taps, sweeps.

Not the augmentation's own: a test must not change with what it tests.
"""

from collections.abc import Callable

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

Signal = Callable[[int, np.random.Generator], FloatArray]
"""Number of samples and where chance comes from -> samples of unit deviation."""


def coloured(exponent: float) -> Signal:
    """Noise whose power falls with frequency to this power: 0 white, 1 pink, 2 brown.

    No colour goes on below 20 Hz: brown noise would be a slow drift and little else.
    """

    def make(n: int, rng: np.random.Generator) -> FloatArray:
        size = 1 << max(1, n - 1).bit_length()
        spectrum = np.fft.rfft(rng.standard_normal(size))
        hertz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 20.0)
        return _unit(np.fft.irfft(spectrum / hertz ** (exponent / 2))[:n])

    return make


def hum(n: int, rng: np.random.Generator) -> FloatArray:
    """Mains hum: 50 or 60 Hz and ten harmonics of random strength."""
    base = rng.choice([50.0, 60.0])
    t = np.arange(n) / SAMPLE_RATE
    tones = [
        rng.uniform(0.1, 1.0) / k * np.sin(2 * np.pi * (base * k * t + rng.random()))
        for k in range(1, 12)
    ]
    return _unit(np.sum(tones, axis=0))


def taps(n: int, rng: np.random.Generator) -> FloatArray:
    """Clicks and taps: bursts of 1 to 30 ms, two a second on average."""
    samples = 1e-4 * rng.standard_normal(n)
    for _ in range(max(1, rng.poisson(2 * n / SAMPLE_RATE))):
        decay = rng.uniform(0.001, 0.03) * SAMPLE_RATE
        burst = rng.standard_normal(int(8 * decay)) * np.exp(
            -np.arange(int(8 * decay)) / decay
        )
        start = int(rng.integers(n))
        samples[start : start + len(burst)] += (
            rng.uniform(0.2, 1.0) * burst[: n - start]
        )
    return _unit(samples)


def sweeps(n: int, rng: np.random.Generator) -> FloatArray:
    """A tone that wanders between 80 and 6000 Hz, each way in 1 to 8 s."""
    corners = [0.0]
    while corners[-1] < n / SAMPLE_RATE:
        corners.append(corners[-1] + rng.uniform(1.0, 8.0))
    pitches = rng.uniform(np.log(80.0), np.log(6000.0), len(corners))
    hertz = np.exp(np.interp(np.arange(n) / SAMPLE_RATE, corners, pitches))
    return _unit(np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE))


def square(n: int, rng: np.random.Generator) -> FloatArray:
    """A square wave of 50 to 400 Hz."""
    half = int(SAMPLE_RATE / rng.uniform(50, 400) / 2)
    return np.where(np.arange(n) // half % 2, 1.0, -1.0).astype(np.float32)


def silence(n: int, rng: np.random.Generator) -> FloatArray:
    return np.zeros(n, np.float32)


def constant(n: int, rng: np.random.Generator) -> FloatArray:
    """A DC offset of either sign."""
    return np.full(n, rng.choice([-1.0, 1.0]), np.float32)


COLOURED: dict[str, Signal] = {
    "white noise": coloured(0.0),
    "pink noise": coloured(1.0),
    "brown noise": coloured(2.0),
}
OTHER: dict[str, Signal] = {"mains hum": hum, "taps": taps, "tone sweeps": sweeps}
FAULTS: dict[str, Signal] = {
    "square wave": square,
    "digital silence": silence,
    "DC offset": constant,
}
"""What a broken input gives."""


def _unit(samples: np.ndarray) -> FloatArray:
    return np.asarray(samples / (samples.std() + 1e-12), np.float32)
