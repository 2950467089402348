"""Clips whose ends are cut at random, so that their length to the sample tells nothing.

CASIA's files were cut on grids that differ by speaker and emotion: the file that is
nearest in length has the same label four times in five (`baselines.clip_length`, on
random folds). This is to see whether a network has learned that.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from ser_stream.pipeline.values import FloatArray
from training.paper.padded_mfcc import PaddedMfccConfig

CUT_S = 0.03
"""From either end at most. Of CASIA, nearest lengths then agree on the label as often
as rough durations do (26 %)."""


@dataclass(frozen=True, slots=True)
class CutPaddedMfccConfig(PaddedMfccConfig):
    """As `PaddedMfccConfig`, of clips whose ends are cut."""

    cut_s: float = CUT_S


def cut_ends(samples: FloatArray, sample_rate: int, cut_s: float) -> FloatArray:
    """The clip without 0 to `cut_s` of either end; the same cut for the same clip."""
    rng = np.random.default_rng(zlib.crc32(samples.tobytes()))
    first, last = rng.integers(0, int(cut_s * sample_rate) + 1, 2)
    return samples[first : len(samples) - last]
