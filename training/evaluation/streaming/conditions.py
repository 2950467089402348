"""M3: what level and noise cost, on whole clips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from ser_stream.pipeline.values import FloatArray
from training.evaluation.streaming.clips import ClipResult, counts, lost, uar
from training.evaluation.streaming.noises import Noise
from training.evaluation.streaming.synthetic_noise import COLOURED, OTHER, Signal
from training.evaluation.streaming.voice_activity import voiced_level

GAINS_DB = (-30, -20, -10, 0, 5, 10)
SNRS_DB = (20, 10, 5, 0)

Change = Callable[[FloatArray, str], FloatArray]
"""Samples of a clip and its name -> samples under a condition."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Noises of one kind, of which each clip gets one by the chance of its name."""

    name: str
    seen: bool
    """Whether a model that was trained with noise was trained with these."""
    noises: dict[str, Signal]


def with_gain(samples: FloatArray, gain_db: float) -> FloatArray:
    """Louder or softer, clipped at full scale as a microphone clips."""
    louder = samples * np.float32(10 ** (gain_db / 20))
    return np.asarray(np.clip(louder, -1.0, 1.0), np.float32)


def with_noise(samples: FloatArray, noise: FloatArray, snr_db: float) -> FloatArray:
    """Add noise so far below the voiced part; the sum is scaled where it would clip.

    Clipping is a matter of level, and would be counted twice.
    """
    level = float(noise.astype(np.float64).std())
    if level == 0.0:
        return samples
    wanted = voiced_level(samples) * 10 ** (-snr_db / 20)
    mixed = samples + np.float32(wanted / level) * noise
    peak = max(1.0, float(np.abs(mixed).max()))
    return np.asarray(mixed / peak, np.float32)


def families(recordings: Sequence[Noise], trained_with_noise: bool) -> list[Family]:
    """The kinds of noise that are mixed under clips; none has a voice in it."""
    kinds = []
    for seen in (True, False):
        of_kind: dict[str, Signal] = {
            noise.name: noise.excerpt
            for noise in recordings
            if noise.seen is seen and not noise.has_voice
        }
        if of_kind:
            name = "recordings" if seen else "recordings, unseen"
            kinds.append(Family(name, seen, of_kind))
    return [
        *kinds,
        # The augmentation draws its own, of any colour between white and brown.
        Family("coloured noise", trained_with_noise, dict(COLOURED)),
        Family("hum, taps and sweeps", False, dict(OTHER)),
    ]


def gains() -> dict[str, Change]:
    """The conditions of level but 0 dB, which is the clip as it is."""

    def change(gain_db: float) -> Change:
        return lambda samples, _: with_gain(samples, gain_db)

    return {f"{gain:+d} dB": change(gain) for gain in GAINS_DB if gain}


def noisy(family: Family, seed: int) -> dict[str, Change]:
    """The conditions of one kind of noise, by signal-to-noise ratio."""

    def change(snr_db: float) -> Change:
        def mix(samples: FloatArray, name: str) -> FloatArray:
            # By name, so that a clip has the same noise whatever else is measured, and
            # at each ratio.
            hashes = [crc32(text.encode()) for text in (name, family.name)]
            rng = np.random.default_rng([seed, *hashes])
            chosen = sorted(family.noises)[int(rng.integers(len(family.noises)))]
            return with_noise(samples, family.noises[chosen](len(samples), rng), snr_db)

        return mix

    return {f"{snr} dB": change(snr) for snr in SNRS_DB}


def compare(
    clean: Sequence[ClipResult], now: Mapping[str, Sequence[ClipResult]], n_classes: int
) -> dict[str, Any]:
    """What each condition costs against the clean clips, which come in one order."""
    before = counts(clean, [clip.predicted for clip in clean], n_classes)
    return {
        "clean": {**uar(before), "without_speech": _silent(clean)},
        "conditions": {
            name: {
                **lost(before, counts(c, [x.predicted for x in c], n_classes)),
                "without_speech": _silent(c),
            }
            for name, c in now.items()
        },
    }


def _silent(clips: Sequence[ClipResult]) -> int:
    return sum(not len(clip.steps) for clip in clips)
