"""Whisper's first blocks in front of CPAC's head: log-mel frames -> logits.

What is frozen of it (Radford et al., ICML 2023, base: two convolutions and three
transformer blocks) hears how a thing is said, and lies in eight bits a weight, with a
scale for each row; what is learned is a map from its frames to capsules, and the head.
Unlike CPAC's encoder it looks at a window whole, so every step computes all of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_stream.nn.cpac import Cpac, CpacConfig, Encoder, squash
from ser_stream.pipeline.geometry import WHISPER, Geometry
from ser_stream.pipeline.mfcc import LOG_MEL, MfccConfig

N_MELS = LOG_MEL.n_mels
FRAMES_PER_TOKEN = 2
"""The second convolution has a stride of two."""
TOKENS_PER_COLUMN = WHISPER.frames_per_column // FRAMES_PER_TOKEN
RANGE = 8.0
"""Powers of ten under the loudest band of the window; what is less reads as that."""
LOUDEST = 1.5
"""log10 of the power that the loudest band of a window is set to: that of ordinary
speech, so that the level does not matter."""


@dataclass(frozen=True, slots=True)
class WhisperConfig(CpacConfig):
    """The encoder's size, and the head's settings; the defaults are Whisper base's."""

    width: int = 512
    n_heads: int = 8
    n_blocks: int = 3
    projection_dropout: float = 0.2
    """Of what the encoder says, before it is mapped to capsules."""

    @property
    def geometry(self) -> Geometry:
        """Columns of 0.1 s, a window computed whole."""
        return WHISPER

    @property
    def mfcc(self) -> MfccConfig:
        """The frames that it hears: mel bands as they are."""
        return LOG_MEL

    @property
    def step_s(self) -> float:
        """A step costs twenty times one of CPAC."""
        return 0.5

    @staticmethod
    def listening(n_classes: int) -> "WhisperConfig":
        """The network of the bundle `accurate`."""
        return WhisperConfig(n_classes=n_classes, n_channels=1, n_statistics=128)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a checkpoint holds them."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "WhisperConfig":
        return WhisperConfig(**{**values, "dropout": tuple(values["dropout"])})


class Int8Weight(nn.Module):
    """A matrix or kernel of eight bits, a scale for each output; and a bias."""

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        rows = (shape[0], *(1 for _ in shape[1:]))
        self.register_buffer("weight", torch.zeros(shape, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(rows))
        self.register_buffer("bias", torch.zeros(shape[0]))

    def set(self, weight: Tensor, bias: Tensor) -> None:
        """Round weights to the nearest of 255 steps of each output."""
        most = weight.flatten(1).abs().amax(1).clamp(min=1e-9) / 127
        self.scale.copy_(most.reshape(self.scale.shape))
        self.weight.copy_(torch.round(weight / self.scale))
        self.bias.copy_(bias)

    @property
    def full(self) -> Tensor:
        """The weights as numbers; not kept, as they take four times the memory."""
        return self.weight.float() * self.scale


class Block(nn.Module):
    """Self-attention and feed-forward, normalised before (pre-LN)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm = frozen_norm(width)
        self.qkv = Int8Weight(3 * width, width)
        self.out = Int8Weight(width, width)
        self.norm = frozen_norm(width)
        self.up = Int8Weight(4 * width, width)
        self.down = Int8Weight(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        qkv = F.linear(self.attention_norm(x), self.qkv.full, self.qkv.bias)
        parts = qkv.reshape(*x.shape[:2], 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        attended = attended.transpose(1, 2).reshape(x.shape)
        x = x + F.linear(attended, self.out.full, self.out.bias)
        hidden = F.gelu(F.linear(self.norm(x), self.up.full, self.up.bias))
        result: Tensor = x + F.linear(hidden, self.down.full, self.down.bias)
        return result


def frozen_norm(width: int) -> nn.LayerNorm:
    norm = nn.LayerNorm(width)
    for parameter in norm.parameters():
        parameter.requires_grad_(False)
    return norm


class FrozenWhisper(nn.Module):
    """Log-mel frames, (B, 10 n, 80), dB -> mean and deviation in columns, (B, n, 2 w).

    The level is taken off: the loudest band of the window reads the same always.
    """

    position: Tensor

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        width = config.width
        self.conv_1 = Int8Weight(width, N_MELS, 3)
        self.conv_2 = Int8Weight(width, width, 3)
        n_tokens = TOKENS_PER_COLUMN * config.geometry.max_columns
        self.register_buffer("position", torch.zeros(n_tokens, width))
        self.blocks = nn.ModuleList(
            Block(width, config.n_heads) for _ in range(config.n_blocks)
        )

    def tokens(self, frames: Tensor) -> Tensor:
        """Frames of windows, (B, T, 80), dB -> (B, T / 2, width)."""
        bels = frames / 10.0
        bels = bels - bels.amax((1, 2), keepdim=True)
        x = (bels.clamp(min=-RANGE) + (LOUDEST + 4.0)) / 4.0
        x = x.transpose(1, 2)
        x = F.gelu(F.conv1d(x, self.conv_1.full, self.conv_1.bias, padding=1))
        x = F.conv1d(x, self.conv_2.full, self.conv_2.bias, stride=2, padding=1)
        x = F.gelu(x).transpose(1, 2)
        x = x + self.position[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, frames: Tensor) -> Tensor:
        x = self.tokens(frames)
        x = x.reshape(x.shape[0], -1, TOKENS_PER_COLUMN, x.shape[2])
        mean = x.mean(2)
        variance = (x - mean.unsqueeze(2)).square().mean(2)
        return torch.cat([mean, torch.sqrt(variance + 1e-6)], dim=-1)


class WhisperEncoder(Encoder):
    """Frames of a window, (B, 10 n, 80), dB -> its columns, (B, n, 6, 64)."""

    config: WhisperConfig

    def __init__(self, config: WhisperConfig) -> None:
        nn.Module.__init__(self)  # nothing of CPAC's layers
        self.config = config
        self.frozen: nn.Module = FrozenWhisper(config)
        # Of what the frozen part says of the training speech.
        size = 2 * config.width
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))
        self.dropout = nn.Dropout(config.projection_dropout)
        self.projection = nn.Linear(size, config.n_primary * config.capsule_dim)

    @property
    def n_inputs(self) -> int:
        """Numbers in a frame."""
        return N_MELS

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take over Whisper's weights, by their names in CTranslate2."""

        def linear(part: Int8Weight, name: str) -> None:
            part.set(weights[name + "/weight"], weights[name + "/bias"])

        def norm(part: nn.LayerNorm, name: str) -> None:
            part.weight.copy_(weights[name + "/gamma"])
            part.bias.copy_(weights[name + "/beta"])

        frozen = self.frozen
        assert isinstance(frozen, FrozenWhisper)
        with torch.no_grad():
            linear(frozen.conv_1, "encoder/conv1")
            linear(frozen.conv_2, "encoder/conv2")
            position = weights["encoder/position_encodings/encodings"]
            frozen.position.copy_(position[: len(frozen.position)])
            for i, block in enumerate(frozen.blocks):
                at = f"encoder/layer_{i}/"
                assert isinstance(block, Block)
                norm(block.attention_norm, at + "self_attention/layer_norm")
                linear(block.qkv, at + "self_attention/linear_0")
                linear(block.out, at + "self_attention/linear_1")
                norm(block.norm, at + "ffn/layer_norm")
                linear(block.up, at + "ffn/linear_0")
                linear(block.down, at + "ffn/linear_1")

    def project(self, columns: Tensor) -> Tensor:
        """What the frozen part says, (B, n, 2 width) -> capsules, (B, n, 6, 64)."""
        x = (columns - self.mean) / self.deviation
        x = self.projection(self.dropout(x))
        return squash(x.unflatten(-1, (self.config.n_primary, self.config.capsule_dim)))

    def forward(self, frames: Tensor) -> Tensor:
        heard: Tensor = self.frozen(frames)
        return self.project(heard)

    def step(self, frames: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        """The columns of a window; nothing is kept from one step to the next."""
        return (self(frames),)

    def kept_shapes(self) -> list[tuple[int, ...]]:
        """None: see `step`."""
        return []


class Whisper(Cpac):
    """The whole network: frames (B, T, 80) -> logits (B, n_classes)."""

    encoder: WhisperEncoder

    def __init__(self, config: WhisperConfig | None = None) -> None:
        config = config or WhisperConfig()
        super().__init__(config, WhisperEncoder(config))
