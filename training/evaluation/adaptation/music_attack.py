"""Sounds for attacks: an empty room, and music with a voice-like lead."""

from collections.abc import Callable, Iterator

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

PIECE_S = 60
CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14), (2, 5, 9), (4, 7, 11))
"""Semitones over the key: I, vi, IV, V, ii, iii."""
SCALE = (0, 2, 4, 5, 7, 9, 11, 12)
FORMANTS = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (440, 1020, 2240))
"""Hertz, of a, i, o, u (Peterson & Barney, 1952): what makes a tone like a voice."""
LEVEL = 0.1


def minutes(
    make: Callable[[np.random.Generator], FloatArray], seconds: float, seed: int
) -> Iterator[FloatArray]:
    """Pieces of a minute, each with chance of its own, for at least so long."""
    for i in range(int(np.ceil(seconds / PIECE_S))):
        yield make(np.random.default_rng([seed, i]))


def stillness(rng: np.random.Generator) -> FloatArray:
    """A minute of nothing; the room's noise is added to every recording anyway."""
    return np.zeros(PIECE_S * SAMPLE_RATE, np.float32)


def music(rng: np.random.Generator) -> FloatArray:
    """A minute of a song: chords, a bass, drums, and a lead that sings vowels.

    In half of the minutes the lead is alone: it is what fools a detector of speech.
    """
    mix = np.zeros(PIECE_S * SAMPLE_RATE)
    beat = 60 / rng.uniform(70, 140)
    key = 110 * 2 ** (rng.integers(12) / 12)
    alone = rng.random() < 0.5
    for bar in range(int(PIECE_S / (4 * beat))):
        start = bar * 4 * beat
        chord = CHORDS[int(rng.integers(len(CHORDS)))]
        if not alone:
            for note in chord:
                _add(mix, start, _tone(_up(2 * key, note), 4 * beat, 4), 0.3)
            for i in range(4):
                _add(mix, start + i * beat, _tone(_up(key / 2, chord[0]), beat, 3), 0.6)
                _add(mix, start + i * beat, _drum(rng, low=i % 2 == 0), 0.8)
        step = beat * float(rng.choice([0.5, 1.0]))
        for i in range(int(4 * beat / step)):
            if rng.random() < 0.8:
                note = SCALE[int(rng.integers(len(SCALE)))]
                _add(mix, start + i * step, _sung(_up(2 * key, note), step, rng), 1.0)
    return np.asarray(LEVEL * mix / (mix.std() + 1e-9), np.float32).clip(-1, 1)


def _up(hertz: float, semitones: int) -> float:
    return float(hertz * 2 ** (semitones / 12))


def _add(mix: np.ndarray, start_s: float, sound: np.ndarray, gain: float) -> None:
    first = round(start_s * SAMPLE_RATE)
    part = mix[first : first + len(sound)]
    part += gain * sound[: len(part)]


def _envelope(n: int) -> np.ndarray:
    t = np.arange(n) / SAMPLE_RATE
    # Attack of 20 ms, then slowly away, and no click at the end.
    return np.asarray(
        np.minimum(t / 0.02, 1.0) * np.exp(-t) * np.minimum((t[-1] - t) / 0.03, 1.0)
    )


def _tone(hertz: float, seconds: float, n_harmonics: int) -> np.ndarray:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    waves = [np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, n_harmonics + 1)]
    return np.asarray(_envelope(len(t)) * np.sum(waves, axis=0))


def _drum(rng: np.random.Generator, *, low: bool) -> np.ndarray:
    t = np.arange(SAMPLE_RATE // 5) / SAMPLE_RATE
    if low:
        return np.asarray(np.exp(-20 * t) * np.sin(2 * np.pi * 60 * t))
    return np.asarray(0.4 * np.exp(-30 * t) * rng.standard_normal(len(t)))


def _sung(hertz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A vowel with vibrato: harmonics under the resonances of a throat."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    vibrato = 1 + 0.01 * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * t)
    phase = 2 * np.pi * hertz * np.cumsum(vibrato) / SAMPLE_RATE
    formants = FORMANTS[int(rng.integers(len(FORMANTS)))]
    sound = np.zeros(len(t))
    for k in range(1, int(4000 / hertz) + 1):
        distance = (k * hertz - np.array(formants)) / 120.0
        resonance = float((1 / (1 + distance**2)).sum()) + 0.02
        sound += resonance / k * np.sin(k * phase)
    return _envelope(len(t)) * sound
