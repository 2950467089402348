"""Stand-ins for the families of Table 1: what they see, and that all of it learns."""

from typing import get_args

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional as F

from training.paper.reproduce.constants import RIVAL_NETWORKS
from training.paper.rival_networks import (
    DepthBlock,
    RivalKind,
    StackedSpectra,
    lengthened,
    new_rival,
)


def test_a_depth_block_is_a_3d_convolution() -> None:
    torch.manual_seed(1)
    block = DepthBlock(4, 6, 3)
    convolution, *rest = block.block
    x = torch.randn(2, 3, 4, 10, 8)  # (B, D, C, T, F)
    assert isinstance(convolution, nn.Conv2d)
    kernels = convolution.weight.reshape(6, 2, 4, 3, 3).transpose(
        1, 2
    )  # (6, 4, 2, 3, 3)
    deep = F.conv3d(x.transpose(1, 2), kernels, padding=(0, 1, 1)).transpose(1, 2)
    expected = nn.Sequential(*rest)(deep.flatten(0, 1)).reshape(2, 2, 6, 5, 4)
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-4)


def test_the_stack_is_spectrum_slope_and_change_of_slope() -> None:
    stacked = StackedSpectra().eval()  # Its fresh statistics change nothing.
    frames = torch.arange(20.0).square().reshape(1, 1, 20, 1).expand(1, 1, 20, 3)
    spectrum, slope, change = stacked(frames)[0, :, 4:-4, 0]
    torch.testing.assert_close(spectrum, frames[0, 0, 4:-4, 0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(slope, 2 * torch.arange(4.0, 16), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(change, torch.full((12,), 2.0), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", get_args(RivalKind))
def test_all_weights_learn_and_a_level_of_the_corpus_changes_nothing(
    kind: RivalKind, rng: np.random.Generator
) -> None:
    clips = [rng.normal(-40, 9, (80, 40)).astype(np.float32) for _ in range(4)]
    torch.manual_seed(1)
    network = new_rival(kind, clips, 5)
    frames = torch.from_numpy(np.array(clips))
    network(frames).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    torch.manual_seed(1)
    louder = new_rival(kind, [clip + 20 for clip in clips], 5)
    torch.testing.assert_close(
        louder.eval()(frames + 20), new_eval(kind, clips)(frames), atol=1e-4, rtol=1e-3
    )


def new_eval(kind: RivalKind, clips: list[np.ndarray]) -> nn.Module:
    torch.manual_seed(1)
    return new_rival(kind, clips, 5).eval()


def test_every_kind_is_a_system() -> None:
    assert get_args(RivalKind) == RIVAL_NETWORKS


def test_a_short_spectrum_goes_on_with_its_quietest_frame() -> None:
    clip = np.array([[0, -9], [-5, -8], [-3, -3]], np.float32)
    assert lengthened(clip, 2) is clip
    np.testing.assert_array_equal(lengthened(clip, 5)[3:], [[-5, -8]] * 2)
