"""The networks of the paper's tables: CPAC in its readings, Algorithms 1, 2 and 3.

Each has `features(frames) -> psi`, (B, 64), and `forward(frames) -> logits`.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_stream.nn.cpac import (
    CapsuleAttention,
    ConvBlock,
    Cpac,
    CpacConfig,
    DigitCapsules,
    squash,
)
from ser_stream.nn.cpu_ops import convolution, dropout

Reading = Literal["as-published-code", "as-written", "streaming"]
Kind = Literal["cpac", "algorithm-1", "algorithm-2", "algorithm-3"]


def cpac_config(reading: Reading, n_classes: int, **changes: Any) -> CpacConfig:
    """The network in one of its readings, with single choices changed."""
    config = {
        "as-published-code": CpacConfig.as_published_code(n_classes),
        "as-written": CpacConfig.as_written(n_classes),
        "streaming": CpacConfig(n_classes=n_classes),
    }[reading]
    return CpacConfig.from_dict({**config.to_dict(), **changes})


def build_network(kind: Kind, config: CpacConfig) -> "Network":
    """CPAC, or one of the ablations of Table 3."""
    if kind == "algorithm-1":
        return CapsNetStem(config)
    if kind == "algorithm-3":
        return LstmNetwork(config)
    if kind == "algorithm-2":
        config = CpacConfig.from_dict({**config.to_dict(), "attention": "none"})
    return CpacNetwork(config)


class Network(nn.Module):
    """What all have: standardised frames, a 64-dim psi, a linear classifier."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: CpacConfig) -> None:
        super().__init__()
        self.config = config
        # (0, 1) leaves raw MFCCs.
        self.register_buffer("mean", torch.zeros(39))
        self.register_buffer("deviation", torch.ones(39))
        self.head_dropout = nn.Dropout(config.head_dropout)
        self.classifier: nn.Module = nn.Linear(config.capsule_dim, config.n_classes)

    def features(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 39) -> psi (B, 64)."""
        raise NotImplementedError

    def forward(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head_dropout(self.features(frames)))
        return logits

    def _standardised(self, frames: Tensor) -> Tensor:
        return (frames - self.mean) / self.deviation


class CpacNetwork(Network):
    """CPAC, and without attention Algorithm 2."""

    def __init__(self, config: CpacConfig) -> None:
        super().__init__(config)
        cpac = Cpac(config)
        self.encoder, self.head = cpac.encoder, cpac.head
        # One classifier and one dropout: those of the base class.
        del self.head.classifier, self.head.dropout

    def features(self, frames: Tensor) -> Tensor:
        return self.head.features(self.encoder(self._standardised(frames)))


class CapsNetStem(Network):
    """Algorithm 1: CapsNet's own convolution for the three conv-pool blocks.

    Sabour et al. (2017) have one 9x9 convolution, then primary capsules by a 9x9
    convolution of stride 2. The paper gives neither kernel nor stride. On (T, 39)
    frames that leaves 12 rows of capsules for every second frame, some 20 000 of them,
    for which attention is out of reach. Chosen here: stride 2 x 2 and 64 filters in the
    first, stride 4 x 4 and 6 x 64 filters in the second, so that the frequency axis
    becomes 39 - 16 - 2 and a column falls on every eighth frame, as in CPAC.
    """

    def __init__(self, config: CpacConfig) -> None:
        super().__init__(config)
        n_out = config.n_primary * config.capsule_dim
        self.stem = nn.Conv2d(1, config.n_filters, 9, stride=2)
        self.dropout = nn.Dropout(config.dropout[-1])
        self.primary = nn.Conv2d(config.n_filters, n_out, 9, stride=4)
        self.attention = CapsuleAttention(config)
        self.digit = DigitCapsules(config)

    def features(self, frames: Tensor) -> Tensor:
        x = F.relu(self.stem(self._standardised(frames).unsqueeze(1)))
        if self.training and x.device.type == "cpu":
            assert self.primary.bias is not None
            x = dropout(x, self.dropout.p)
            x = convolution(x, self.primary.weight, self.primary.bias, stride=4)
        else:
            x = self.primary(self.dropout(x)).permute(0, 2, 3, 1)  # (B, n, 2, 384)
        capsules = squash(x.reshape(len(x), -1, 64).float())
        result: Tensor = self.digit(self.attention(capsules)).mean(1)
        return result


class LstmNetwork(Network):
    """Algorithm 3: an LSTM in place of capsules and attention.

    Its size is not given; 64 units here, psi's length, over the rows that the conv
    blocks leave (3 frequencies x 64 filters each), and its last output is psi.
    """

    def __init__(self, config: CpacConfig) -> None:
        super().__init__(config)
        self.blocks = nn.ModuleList(
            ConvBlock(1 if i == 0 else config.n_filters, config, dropout)
            for i, dropout in enumerate(config.dropout)
        )
        self.lstm = nn.LSTM(3 * config.n_filters, config.capsule_dim, batch_first=True)

    def features(self, frames: Tensor) -> Tensor:
        x = self._standardised(frames).unsqueeze(1)
        for block in self.blocks:
            x = block(x)
        rows = x.permute(0, 2, 3, 1).flatten(2)  # (B, n, 3 x 64)
        with torch.autocast(x.device.type, enabled=False):
            result: Tensor = self.lstm(rows.float())[0][:, -1]
        return result
