"""Small networks of the families that the paper's Table 1 is compared with.

The paper quotes others' results on splits of their own. These are baselines for a
family, to have one on the same folds: a CNN, a light CNN and a 3D-CNN on log-mel
spectra. They are not the networks of the works that the paper refers to.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_stream.pipeline.mfcc import MfccConfig
from ser_stream.pipeline.values import FloatArray

RivalKind = Literal["cnn", "light-cnn", "cnn-3d"]
LOG_MEL = MfccConfig(n_mels=40, n_mfcc=40, dct="none")
"""40 mel bands in decibels, of frames as long and as many as those of CPAC's MFCCs."""
DROPOUT = 0.3


def lengthened(clip: FloatArray, n_frames: int) -> FloatArray:
    """A log-mel spectrum of at least `n_frames`: its quietest frame goes on."""
    missing = n_frames - len(clip)
    if missing <= 0:
        return clip
    return np.concatenate([clip, np.tile(clip[clip.sum(1).argmin()], (missing, 1))])


class RivalNetwork(nn.Module):
    """Standardised spectra -> convolutions -> mean over time and bands -> classes."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, convolutions: nn.Module, width: int, n_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(LOG_MEL.n_mels))
        self.register_buffer("deviation", torch.ones(LOG_MEL.n_mels))
        self.convolutions = convolutions
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(width, n_classes)

    def features(self, frames: Tensor) -> Tensor:
        """Log-mel spectra (B, T, 40) -> (B, width)."""
        x = ((frames - self.mean) / self.deviation).unsqueeze(1)
        result: Tensor = self.convolutions(x).float().mean((2, 3))
        return result

    def forward(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(self.features(frames)))
        return logits


def new_rival(
    kind: RivalKind, clips: Sequence[FloatArray], n_classes: int
) -> RivalNetwork:
    """A network with fresh weights; standardised by the frames of `clips`."""
    convolutions, width = {"cnn": _cnn, "light-cnn": _light_cnn, "cnn-3d": _cnn_3d}[
        kind
    ]()
    network = RivalNetwork(convolutions, width, n_classes)
    frames = np.concatenate(list(clips))
    network.mean.copy_(torch.from_numpy(frames.mean(0)))
    network.deviation.copy_(torch.from_numpy(frames.std(0) + np.float32(1e-3)))
    return network


def _block(n_in: int, n_out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Convolution -> batch norm -> ReLU -> half the size by the maximum."""
    return [
        nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]


def _cnn() -> tuple[nn.Module, int]:
    layers = [*_block(1, 32, 5, stride=2), *_block(32, 64, 3), *_block(64, 96, 3)]
    return nn.Sequential(*layers), 96


class MaxFeatureMap(nn.Module):
    """The larger of two halves of the channels (Wu et al., IEEE TIFS 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        return torch.maximum(first, second)


def _light_cnn() -> tuple[nn.Module, int]:
    """Light CNN: max-feature-map for ReLU, 1x1 convolutions between the others."""

    def layer(n_in: int, n_out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
        return [
            nn.Conv2d(n_in, 2 * n_out, kernel, stride, kernel // 2),
            MaxFeatureMap(),
        ]

    layers = [
        *layer(1, 16, 5, stride=2),
        nn.MaxPool2d(2),
        *layer(16, 16, 1),
        nn.BatchNorm2d(16),
        *layer(16, 32, 3),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(32),
        *layer(32, 32, 1),
        nn.BatchNorm2d(32),
        *layer(32, 64, 3),
        nn.MaxPool2d(2),
    ]
    return nn.Sequential(*layers), 64


class StackedSpectra(nn.Module):
    """(B, 1, T, F) -> (B, 3, T, F): the spectrum, how it changes, how that changes.

    Slopes over five frames, as deltas are commonly taken; each of the three is brought
    to the same scale.
    """

    slope: Tensor

    def __init__(self) -> None:
        super().__init__()
        slope = torch.tensor([-0.2, -0.1, 0.0, 0.1, 0.2])
        self.register_buffer("slope", slope.reshape(1, 1, 5, 1), persistent=False)
        self.norm = nn.BatchNorm2d(3, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        stack = [x]
        for _ in range(2):
            edged = F.pad(stack[-1], (0, 0, 2, 2), mode="replicate")
            stack.append(F.conv2d(edged, self.slope))
        result: Tensor = self.norm(torch.cat(stack, 1))
        return result


class DepthBlock(nn.Module):
    """A 3-D convolution of depth 2, valid along the depth; else as a block of the CNN.

    (B, D, C, T, F) -> (B, D - 1, C', T', F'). Neighbours in depth are put together as
    channels of one 2-D convolution, which is the same sum and faster on CPUs.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.block = nn.Sequential(*_block(2 * n_in, n_out, kernel, stride))

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.cat([x[:, :-1], x[:, 1:]], 2)
        result: Tensor = self.block(pairs.flatten(0, 1)).unflatten(0, pairs.shape[:2])
        return result


class DepthNetwork(nn.Module):
    """Spectrum, delta and delta-delta as the depth of 3-D convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.stacked = StackedSpectra()
        self.depth = nn.Sequential(
            DepthBlock(1, 16, 5, stride=2), DepthBlock(16, 64, 3)
        )
        self.flat = nn.Sequential(*_block(64, 96, 3))

    def forward(self, x: Tensor) -> Tensor:
        deep = self.depth(self.stacked(x).unsqueeze(2))  # Of depth 1 after two blocks.
        result: Tensor = self.flat(deep.squeeze(1))
        return result


def _cnn_3d() -> tuple[nn.Module, int]:
    return DepthNetwork(), 96
