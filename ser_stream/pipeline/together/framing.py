"""The front end over the blocks of many streams.

Spectra, bands and cosines are those of all frames at once; the noise floor and the
level, which follow each voice, go block by block.
"""

from collections.abc import Hashable, Sequence
from itertools import islice

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ser_stream.pipeline.computation import MakeFrames
from ser_stream.pipeline.front_end import FrontEnd
from ser_stream.pipeline.mfcc import mel_power, mfcc_of_mel, power_spectrum
from ser_stream.pipeline.pitch import pitchogram
from ser_stream.pipeline.values import FloatArray

BLOCKS_AT_ONCE = 8
"""More are not quicker, and take memory."""
Framed = tuple[int, FloatArray]


def kind(wanted: MakeFrames) -> Hashable:
    """What goes together: front ends that compute the same."""
    return id(wanted.front_end.config)


def answers(wanted: Sequence[MakeFrames]) -> list[list[Framed]]:
    """Of each, of each block the index of its first frame, and its frames."""
    taken: list[tuple[FrontEnd, int]] = []
    n_blocks = sum(len(one.blocks) for one in wanted)
    samples = np.empty((n_blocks, len(wanted[0].front_end.mfcc.samples)), np.float32)
    firsts = []
    for one in wanted:
        for block in one.blocks:
            first, n = one.front_end.take(block)
            samples[len(taken)] = one.front_end.mfcc.samples
            taken.append((one.front_end, n))
            firsts.append(first)
    made = [
        frames
        for at in range(0, n_blocks, BLOCKS_AT_ONCE)
        for frames in _frames(
            samples[at : at + BLOCKS_AT_ONCE], taken[at : at + BLOCKS_AT_ONCE]
        )
    ]
    of_blocks = zip(firsts, made, strict=True)
    return [list(islice(of_blocks, len(one.blocks))) for one in wanted]


def _frames(
    samples: FloatArray, taken: Sequence[tuple[FrontEnd, int]]
) -> list[FloatArray]:
    """Of each row of samples, the last frames, as many as it has."""
    config = taken[0][0].config
    mfcc, per_block = config.mfcc, config.mfcc.frames_per_block
    a_row, one = samples.strides
    shape = (len(samples), per_block, mfcc.frame_length)
    cut = as_strided(samples, shape, (a_row, mfcc.hop_length * one, one))
    power = power_spectrum(cut, mfcc).reshape(len(samples) * per_block, -1)
    mel = mel_power(power, mfcc)
    # Whether a frame counts: none reaches before the beginning of its stream.
    counts = np.arange(per_block) >= per_block - np.array([[n] for _, n in taken])
    if config.floor is not None:
        floors = [front_end.floor for front_end, _ in taken if front_end.floor]
        powers = floors[0].powers_of(mel).reshape(counts.shape)
        loudest = np.where(counts, powers, 0.0).max(1).tolist()
        added = [
            floor.follow(power) if n else 0.0
            for floor, power, (_, n) in zip(floors, loudest, taken, strict=True)
        ]
        mel += np.repeat(added, per_block)[:, None]
    features = mfcc_of_mel(mel, mfcc)
    if config.pitch is not None:
        pitch = pitchogram(power, config.pitch, mfcc)
        features = np.concatenate([features, pitch], axis=1)
    result = features.reshape(*counts.shape, -1)
    if config.normalise.kind != "fixed":
        loudest = np.where(counts, result[:, :, 0], -np.inf).max(1).tolist()
        levels = [
            front_end.normaliser.follow(first) if n else 0.0
            for first, (front_end, n) in zip(loudest, taken, strict=True)
        ]
        result[:, :, 0] -= np.array(levels, np.float32)[:, None]
    return [
        frames[per_block - n :] for frames, (_, n) in zip(result, taken, strict=True)
    ]
