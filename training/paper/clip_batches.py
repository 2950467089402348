"""Frames of whole clips -> batches: of one fixed length, or of about equal lengths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ser_stream.pipeline.values import FloatArray
from training.paper.mfcc_cache import MIN_FRAMES, fixed_length

PER_COLUMN = 8
TAIL = 30


@dataclass(frozen=True, slots=True)
class MaskConfig:
    """What is done to the frames of a clip in training; nothing in the paper."""

    gain_db: float = 0.0
    """Largest change of level, up or down; on the first MFCC, which is where a gain of
    the waveform goes."""
    time_masks: int = 0
    """Up to so many stretches are set to the mean of the training frames, or of the
    clip where that is not given."""
    time_mask_frames: int = 16
    mixup: float = 0.0
    """Parameter of the beta distribution; 0 turns mixup off."""


DECIBEL_OF_C0 = float(np.sqrt(128.0))
"""A gain of 1 dB adds so much to the first of the orthonormal coefficients."""


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """What one step of training sees."""

    frames: Tensor
    """(B, T, 39), the same T for the whole batch."""
    targets: Tensor
    """(B,), class indices."""


class ClipBatches:
    """Labelled clips in memory, shuffled anew in every epoch."""

    def __init__(
        self,
        clips: Sequence[FloatArray],
        targets: Sequence[int],
        *,
        batch_size: int,
        fixed: int = 0,
        max_columns: int = 25,
        mask: MaskConfig | None = None,
        mean: FloatArray | None = None,
    ) -> None:
        """Keep the clips.

        Args:
            clips: frames of each, (T, 39).
            targets: class index of each.
            batch_size: clips in a batch.
            fixed: frames of every clip, cut or padded; 0 takes windows instead: each
                batch is of clips of about one length, cut to it at random.
            max_columns: longest window.
            mask: what is done to the frames.
            mean: frame, (39,), that masked stretches are set to.
        """
        self.targets = np.asarray(targets)
        self.batch_size = min(batch_size, len(clips))
        self._fixed = fixed_length(clips, fixed) if fixed else None
        self._clips = list(clips)
        self._longest = PER_COLUMN * max_columns + TAIL
        self._mask = mask or MaskConfig()
        self._mean = mean

    def __len__(self) -> int:
        return max(1, len(self.targets) // self.batch_size)

    def epoch(self, rng: np.random.Generator) -> Iterator[FrameBatch]:
        """Every clip once, but for a rest smaller than a batch."""
        order = rng.permutation(len(self.targets))
        if self._fixed is None:
            order = self._by_length(order, rng)
        for k in range(len(self)):
            rows = order[k * self.batch_size : (k + 1) * self.batch_size]
            yield self.batch(rows, rng)

    def batch(self, rows: np.ndarray, rng: np.random.Generator) -> FrameBatch:
        if self._fixed is not None:
            frames = self._fixed[rows]
        else:
            frames = self._windows(rows, rng)
        frames = self._masked(frames, rng)
        return FrameBatch(
            torch.from_numpy(frames), torch.from_numpy(self.targets[rows])
        )

    def _by_length(self, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # Neighbours in a shuffled stretch of eight batches are put in order of length,
        # then the batches are shuffled.
        stretch = 8 * self.batch_size
        lengths = np.array([len(clip) for clip in self._clips])
        pieces = [order[i : i + stretch] for i in range(0, len(order), stretch)]
        order = np.concatenate(
            [p[np.argsort(lengths[p], kind="stable")] for p in pieces]
        )
        whole = order[: len(self) * self.batch_size].reshape(len(self), -1)
        return whole[rng.permutation(len(whole))].ravel()

    def _windows(self, rows: np.ndarray, rng: np.random.Generator) -> FloatArray:
        clips = [self._clips[i] for i in rows]
        length = min(int(np.median([len(clip) for clip in clips])), self._longest)
        length -= (length - TAIL) % PER_COLUMN
        length = max(length, MIN_FRAMES)
        cut = []
        for clip in clips:
            spare = len(clip) - length
            start = int(rng.integers(spare + 1)) if spare > 0 else 0
            cut.append(clip[start:])
        return fixed_length(cut, length)

    def _masked(self, frames: FloatArray, rng: np.random.Generator) -> FloatArray:
        mask = self._mask
        if not (mask.gain_db or mask.time_masks):
            return frames
        frames = frames.copy()
        if mask.gain_db:
            gains = rng.uniform(-mask.gain_db, mask.gain_db, (len(frames), 1))
            frames[:, :, 0] += np.float32(DECIBEL_OF_C0) * gains.astype(np.float32)
        for clip in frames:
            for _ in range(int(rng.integers(mask.time_masks + 1))):
                length = int(rng.integers(1, mask.time_mask_frames + 1))
                start = int(rng.integers(max(1, len(clip) - length + 1)))
                clip[start : start + length] = (
                    clip.mean(0) if self._mean is None else self._mean
                )
        return frames
