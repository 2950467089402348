"""Windows of any length -> batches of one length."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.values import FloatArray


def stacked(windows: Sequence[FloatArray]) -> Tensor:
    """Frames of windows, cut to the shortest of them: (B, 8 n + 30, n_features)."""
    n = min(len(window) for window in windows)
    return torch.from_numpy(np.stack([window[:n] for window in windows]))


def cropped(
    windows: Sequence[FloatArray],
    n: int,
    rng: np.random.Generator,
    geometry: Geometry = CPAC,
) -> Tensor:
    """A stretch of n columns of each window: (B, 8 n + 30, n_features).

    A window that is too short begins again at its end, on the grid of columns.
    """
    n_frames, hop = geometry.n_frames(n), geometry.frames_per_column
    cuts = []
    for window in windows:
        spare = (len(window) - n_frames) // hop
        start = hop * int(rng.integers(max(spare, 0) + 1))
        cut = window[start : start + n_frames]
        while len(cut) < n_frames:
            cut = np.concatenate([cut, window[: n_frames - len(cut)]])
        cuts.append(cut)
    return torch.from_numpy(np.stack(cuts))


def cropped_columns(
    columns: Sequence[Tensor], n: int, rng: np.random.Generator
) -> Tensor:
    """The same for windows that are encoded already: (B, n, 6, 64)."""
    cuts = []
    for window in columns:
        spare = len(window) - n
        start = int(rng.integers(max(spare, 0) + 1))
        cuts.append(window[(torch.arange(n) + start) % len(window)])
    return torch.stack(cuts)
