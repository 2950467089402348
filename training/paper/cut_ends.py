"""Clips whose ends are cut at random, so that their length to the sample tells little.

The lengths of CASIA's files lie on grids that differ by speaker and emotion: the file
that is nearest in length has the same label four times in five on random folds
(`training.baselines.clip_length`). This is to see whether a network needs that.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from ser_stream.pipeline.values import FloatArray
from training.paper.padded_mfcc import PaddedMfccConfig

CUT_S = 0.03
"""From either end at most. CASIA's nearest lengths then have the same label in 26 %,
rough durations alone in 20 to 24."""


@dataclass(frozen=True, slots=True)
class CutPaddedMfccConfig(PaddedMfccConfig):
    """As `PaddedMfccConfig`, of clips whose ends are cut."""

    cut_s: float = CUT_S


def cut_ends(samples: FloatArray, sample_rate: int, cut_s: float) -> FloatArray:
    """The clip without 0 to `cut_s` of either end; the same cut for the same clip."""
    rng = np.random.default_rng(zlib.crc32(samples.tobytes()))
    first, last = rng.integers(0, int(cut_s * sample_rate) + 1, 2)
    return samples[first : len(samples) - last]
