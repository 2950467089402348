"""Batch normalisation's statistics of another room: the part that needs no gradient.

As AdaBN (Li et al., "Revisiting batch normalization for practical domain adaptation",
ICLR workshop 2017), but only part of the way: a bounded reservoir holds few speakers,
and an hour at one microphone need not have all emotions in it.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ser_stream.adaptation.child.batches import stacked
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.values import FloatArray

BATCH = 32


@torch.no_grad()
def with_statistics_of(base: Cpac, windows: Sequence[FloatArray], share: float) -> Cpac:
    """The same network, its statistics moved towards those of other windows.

    Always from the network that everything began with: moved from round to round they
    would end up being the room's alone. A network without any stays as it is.

    Args:
        base: the network; it is left alone.
        windows: frames of speech, (8 n_i + 30, n_features).
        share: 0 leaves the statistics, 1 is AdaBN.
    """
    moved = copy.deepcopy(base).eval()
    norms = norms_of(moved)
    if not norms:
        return moved
    kept = [[statistic.clone() for statistic in running(norm)] for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    order = np.argsort([len(window) for window in windows], kind="stable")
    for first in range(0, len(order), BATCH):
        rows = order[first : first + BATCH]
        moved.encoder(stacked([windows[i] for i in rows]))
    for norm, before in zip(norms, kept, strict=True):
        for statistic, old in zip(running(norm), before, strict=True):
            statistic.lerp_(old, 1.0 - share)
    return moved.eval()


def norms_of(network: Cpac) -> list[nn.BatchNorm2d]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


def running(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The mean and the variance that it goes by, (n_filters,) each."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var
