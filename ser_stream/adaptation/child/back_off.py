"""Shortens the step of a round until its loss on the canary is allowed.

All of a step may be too far where half of it is not: both are tried on labelled speech
of speakers that the round did not learn from, before acceptance decides.
"""

import copy
from collections.abc import Callable

import torch

from ser_stream.nn.cpac import Cpac

SHARES = (1.0, 0.5, 0.25)
"""Shares of the step, tried in turn."""


def backed_off(
    current: Cpac, after: Cpac, recall: Callable[[Cpac], float], least: float
) -> tuple[Cpac, float]:
    """The network of the largest share that keeps the recall, and that share.

    If no share keeps the `least` recall on the canary windows, 0 to 1, the best of them
    is taken.
    """
    best, best_recall, best_share = after, -1.0, 1.0
    for share in SHARES:
        network = between(current, after, share)
        found = recall(network)
        if found >= least:
            return network, share
        if found > best_recall:
            best, best_recall, best_share = network, found, share
    return best, best_share


@torch.no_grad()
def between(current: Cpac, after: Cpac, share: float) -> Cpac:
    """All weights and statistics a `share` of the way from one network to another."""
    network = copy.deepcopy(current)
    there = after.state_dict()
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(there[name], share)
    return network.eval()
