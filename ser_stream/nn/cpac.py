"""CPAC: convolution, attention and capsules on MFCC frames (Wen et al., IJCAI 2022).

The network is two modules that run one after the other, and apart when streaming:

- `Encoder`: frames -> encoder frames (CPAC: capsule columns). With valid convolutions
  and pools the frequency axis shrinks 39-37-18-16-8-6-3-1, so column k sees exactly
  frames 8k to 8k + 37.
- `Head`: the columns of a window -> logits.

`CpacConfig()` is the paper's network in streaming form;
`CpacConfig.as_published_code()` and `CpacConfig.as_written()` are the paper's two
readings. `CpacConfig.listening()` is what the bundles have: the streaming form with the
pitchogram as a second channel, and statistics over time beside the capsules.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_stream.nn.cpu_ops import convolution, elu_pool_dropout
from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.last_layer import SHRINK_S
from ser_stream.pipeline.mfcc import MfccConfig


@dataclass(frozen=True, slots=True)
class CpacConfig:
    """The choices in which the paper, its code and the streaming form differ."""

    n_classes: int = 5
    n_channels: int = 1
    """1: MFCCs; 2: the pitchogram behind them, as a second channel of one image."""
    n_filters: int = 64
    n_primary: int = 6
    """Primary capsules in a column."""
    n_digit: int = 6
    """Digit capsules; 6 for every corpus, whatever its class count."""
    capsule_dim: int = 64
    routings: int = 3
    attention: Literal["projected", "shared", "none"] = "projected"
    """Eq. 2 with projections and 1/sqrt(d); or query = key = value with one learned
    scalar, as Keras `Attention(use_scale=True)` in the published code; or no attention
    (Algorithm 2)."""
    batch_norm: Literal["working", "frozen"] = "working"
    """`frozen`: only scale and shift learn, as in the published code."""
    routing: Literal["mean", "sum"] = "mean"
    """`sum` as in the paper; `mean` divides by the number of columns, so that windows
    of 1 to 25 columns look alike to what follows."""
    gain: float = 30.0
    """Constant on the attention's output and on the routed mean; 1 in the paper. On
    standardised input, products of short capsules reach the classifier at about 1e-6
    and learn slowly: after 20 epochs on six EmoDB speakers, 48 % UAR on the other four
    with 1, 57 % with 30 (one seed)."""
    dropout: tuple[float, float, float] = (0.25, 0.25, 0.25)
    """After each convolution block."""
    head_dropout: float = 0.2
    n_statistics: int = 0
    """Features made of the mean and the deviation of the primary capsules over time,
    which the classifier gets beside the digit capsules; 0: none, as in the paper."""
    statistics_dropout: float = 0.4
    speaker_mean: bool = False
    """Whether the classifier is told how the features differ from their mean over the
    speech of the speaker; see `Head.classify`."""

    @property
    def geometry(self) -> Geometry:
        """How columns lie on frames: three blocks and a convolution make it so."""
        return CPAC

    @property
    def mfcc(self) -> MfccConfig:
        """The frames that it hears."""
        return MfccConfig()

    @property
    def step_s(self) -> float:
        """Seconds from one prediction to the next, if nobody says otherwise."""
        return 0.2

    @property
    def n_features(self) -> int:
        """Numbers that the classifier sees of a window."""
        return self.capsule_dim + self.n_statistics

    @staticmethod
    def listening(n_classes: int) -> "CpacConfig":
        """The network of the bundles; see `docs/model-trials.md` for each part."""
        return CpacConfig(
            n_classes=n_classes,
            n_channels=2,
            n_statistics=128,
            dropout=(0.1, 0.1, 0.1),
        )

    @staticmethod
    def as_published_code(n_classes: int) -> "CpacConfig":
        """The single-corpus network as the authors' repository builds it."""
        return CpacConfig(
            n_classes=n_classes,
            attention="shared",
            batch_norm="frozen",
            routing="sum",
            gain=1.0,
            dropout=(0.5, 0.25, 0.25),
        )

    @staticmethod
    def as_written(n_classes: int) -> "CpacConfig":
        """The network as the paper's text describes it."""
        return CpacConfig(n_classes=n_classes, routing="sum", gain=1.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a checkpoint holds them."""
        values = asdict(self)
        if not self.speaker_mean:  # Checkpoints from before there was one.
            del values["speaker_mean"]
        return values

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "CpacConfig":
        return CpacConfig(**{**values, "dropout": tuple(values["dropout"])})


def shrunk(heard: Tensor, heard_s: Tensor, centre: Tensor) -> Tensor:
    """A speaker's mean of the features, shrunk towards that of all speech.

    (n m + k m0) / (n + k), n the seconds that were heard, k `SHRINK_S`; of shape
    (B, n_features).

    Args:
        heard: sum of the features, each times the seconds it stands for,
            (B, n_features).
        heard_s: how many seconds that was, (B, 1).
        centre: m0, (n_features,).
    """
    return centre + (heard - heard_s * centre) / (heard_s + SHRINK_S)


def squash(s: Tensor) -> Tensor:
    """Eq. 1: v = (|s|^2 / (1 + |s|^2)) s / |s| over the last axis."""
    # The small term keeps the gradient of the norm finite at zero.
    squared = (s * s).sum(-1, keepdim=True) + 1e-9
    return s * (torch.sqrt(squared) / (1.0 + squared))


class ConvBlock(nn.Module):
    """Valid 3x3 convolution -> batch norm -> ELU -> average pool 2x2 -> dropout."""

    def __init__(self, n_in: int, config: CpacConfig, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, config.n_filters, 3)
        self.norm = nn.BatchNorm2d(config.n_filters, eps=1e-3)
        self.dropout = nn.Dropout(dropout)
        self.frozen = config.batch_norm == "frozen"

    def forward(self, x: Tensor) -> Tensor:
        x = self._scaled_convolution(x) if self.frozen else self.norm(self.conv(x))
        if self.training and x.device.type == "cpu":
            return elu_pool_dropout(x, self.dropout.p)
        result: Tensor = self.dropout(F.avg_pool2d(F.elu(x), 2))
        return result

    def _scaled_convolution(self, x: Tensor) -> Tensor:
        # Batch norm in inference mode while training: its statistics stay (0, 1), so
        # its scale and shift may as well be applied to the kernels.
        assert self.norm.running_var is not None
        scale = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
        kernels = self.conv.weight * scale[:, None, None, None]
        assert self.conv.bias is not None
        return F.conv2d(x, kernels, self.conv.bias * scale + self.norm.bias)


class Encoder(nn.Module):
    """Frames (B, 8 n + 30, 39 n_channels) -> encoder frames (B, n, 6, 64)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: CpacConfig) -> None:
        super().__init__()
        self.config = config
        # Fixed statistics of the training frames; (0, 1) leaves raw MFCCs.
        self.register_buffer("mean", torch.zeros(39 * config.n_channels))
        self.register_buffer("deviation", torch.ones(39 * config.n_channels))
        self.blocks = nn.ModuleList(
            ConvBlock(config.n_filters if i else config.n_channels, config, dropout)
            for i, dropout in enumerate(config.dropout)
        )
        n_out = config.n_primary * config.capsule_dim
        self.primary = nn.Conv2d(config.n_filters, n_out, 3)

    @property
    def n_inputs(self) -> int:
        """Numbers in a frame."""
        return len(self.mean)

    def forward(self, frames: Tensor) -> Tensor:
        x = self._standardised(frames)
        for block in self.blocks:
            x = block(x)
        return self._capsules(x)

    def step(self, frames: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        """The same columns from new frames alone: exact, with what each layer keeps.

        A valid convolution of height 3 looks back two rows. So the last two rows that
        each block puts out are kept, and with them n columns cost 8 n new frames
        instead of 8 n + 30. From rows of zeros, the first `cold_columns` columns are
        wrong and to be dropped; the others are exact.

        Args:
            frames: (B, 8 n + 2, 39 n_channels); the first two were the last two of the
                last call.
            kept: rows of the call before; shapes as `kept_shapes` says.

        Returns:
            The columns, (B, n, 6, 64), and the rows to keep.
        """
        x = self._standardised(frames)
        keep = []
        for block, rows in zip(self.blocks, kept, strict=True):
            x = torch.cat([rows, block(x)], dim=2)
            keep.append(x[:, :, -2:])
        return self._capsules(x), *keep

    def kept_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the rows that `step` keeps: (1, filters, 2, frequencies)."""
        return [(1, self.config.n_filters, 2, n) for n in (18, 8, 3)]

    def _standardised(self, frames: Tensor) -> Tensor:
        x = (frames - self.mean) / self.deviation
        # (B, n_channels, T, 39)
        return x.reshape(*x.shape[:2], self.config.n_channels, 39).transpose(1, 2)

    def _capsules(self, x: Tensor) -> Tensor:
        if self.training and x.device.type == "cpu":
            assert self.primary.bias is not None
            x = convolution(x, self.primary.weight, self.primary.bias).squeeze(2)
        else:
            x = self.primary(x).squeeze(-1).transpose(1, 2)  # (B, n, 384)
        shape = (x.shape[0], -1, self.config.n_primary, self.config.capsule_dim)
        return squash(x.reshape(shape))  # (B, n, 6, 64)


class CapsuleAttention(nn.Module):
    """Eq. 2 and 3: softmax(Q K^T / sqrt(d)) V, multiplied onto the capsules."""

    def __init__(self, config: CpacConfig) -> None:
        super().__init__()
        self.projected = config.attention == "projected"
        self.gain = config.gain
        d = config.capsule_dim
        if self.projected:
            self.query = nn.Linear(d, d)
            self.key = nn.Linear(d, d)
            self.value = nn.Linear(d, d)
            self.factor = d**-0.5
        else:
            self.scale = nn.Parameter(torch.ones(()))

    def forward(self, capsules: Tensor) -> Tensor:
        # capsules: (B, N, d)
        if self.projected:
            q, k, v = self.query(capsules), self.key(capsules), self.value(capsules)
            weights = torch.softmax(q @ k.transpose(1, 2) * self.factor, dim=-1)
        else:
            v = capsules
            weights = torch.softmax(v @ v.transpose(1, 2) * self.scale, dim=-1)
        result: Tensor = weights @ v * capsules * self.gain
        return result


class DigitCapsules(nn.Module):
    """Dynamic routing with shared weights: (B, N, 64) -> (B, 6, 64).

    Softmax over the digit capsules; outputs L2-normalised between rounds; squash at
    the end, as in the published code. The votes W_j x_i are never built: for
    N capsules they would be N x 384 numbers, yet routing needs only their weighted sum,
    W_j (sum_i c_ij x_i), and their agreement with an output, x_i (W_j^T s_j).
    """

    def __init__(self, config: CpacConfig) -> None:
        super().__init__()
        self.config = config
        # Glorot as Keras initialises the shared 64 -> 384 map.
        d = config.capsule_dim
        weight = torch.empty(config.n_digit * d, d)
        nn.init.xavier_uniform_(weight)
        self.weight = nn.Parameter(weight.reshape(config.n_digit, d, d))

    def forward(self, capsules: Tensor) -> Tensor:
        config = self.config
        # The first coupling is uniform: 1/6 of the sum, for every digit capsule.
        pooled = capsules.sum(1, keepdim=True) / config.n_digit  # (B, 1, 64)
        s = self._outputs(pooled.expand(-1, config.n_digit, -1))
        for _ in range(config.routings - 1):
            s = F.normalize(s, dim=-1)
            directions = (s.unsqueeze(2) @ self.weight).squeeze(2)  # W_j^T s_j
            agreement = directions @ capsules.transpose(1, 2)  # (B, 6, N)
            s = self._outputs(torch.softmax(agreement, dim=1) @ capsules)
        if config.routing == "mean":
            s = s * (config.n_primary / capsules.shape[1])
        return squash(s * config.gain)

    def _outputs(self, pooled: Tensor) -> Tensor:
        # W_j p_j for each digit capsule: (B, 6, 64) -> (B, 6, 64).
        return (self.weight @ pooled.unsqueeze(-1)).squeeze(-1)


class CapsuleStatistics(nn.Module):
    """Mean and deviation of the primary capsules over time -> (B, n_statistics).

    As x-vectors pool frames (Snyder et al., ICASSP 2018), and functionals of openSMILE
    do: how much a voice varies is itself a cue, and a sum over capsules forgets it.
    """

    def __init__(self, config: CpacConfig) -> None:
        super().__init__()
        size = 2 * config.n_primary * config.capsule_dim
        self.norm = nn.LayerNorm(size)
        self.project = nn.Linear(size, config.n_statistics)
        self.dropout = nn.Dropout(config.statistics_dropout)

    def forward(self, columns: Tensor) -> Tensor:
        # columns: (B, n, 6, 64)
        x = columns.flatten(2)
        mean = x.mean(1)
        variance = (x - mean.unsqueeze(1)).square().mean(1)
        # One column deviates from nothing; the small term keeps the gradient finite.
        both = torch.cat([mean, torch.sqrt(variance + 1e-6)], dim=-1)
        result: Tensor = self.dropout(F.elu(self.project(self.norm(both))))
        return result


class Head(nn.Module):
    """Encoder frames of a window, (B, n, 6, 64) -> logits (B, n_classes)."""

    mean: Tensor

    def __init__(self, config: CpacConfig) -> None:
        super().__init__()
        self.config = config
        self.attention = (
            None if config.attention == "none" else CapsuleAttention(config)
        )
        self.digit = DigitCapsules(config)
        self.dropout = nn.Dropout(config.head_dropout)
        self.statistics = CapsuleStatistics(config) if config.n_statistics else None
        self.classifier = nn.Linear(config.n_features, config.n_classes)
        if config.speaker_mean:
            # Of a speaker who was not heard yet: of the training speech, until
            # `training.evaluation.recentre` measures it on voices outside of it.
            self.register_buffer("mean", torch.zeros(config.n_features))

    def features(self, columns: Tensor) -> Tensor:
        """What the classifier sees, (B, n_features).

        The average over the digit capsules, the paper's psi, (B, 64); behind it, where
        the network has them, the statistics.
        """
        capsules = columns.flatten(1, 2)  # (B, 6 n, 64)
        if self.attention is not None:
            capsules = self.attention(capsules)
        psi: Tensor = self.digit(capsules).mean(1)
        if self.statistics is None:
            return psi
        return torch.cat([psi, self.statistics(columns)], dim=-1)

    def mean_of(self, heard: Tensor, heard_s: Tensor) -> Tensor:
        """A speaker's mean, shrunk towards that of the training speech; `shrunk`."""
        return shrunk(heard, heard_s, self.mean)

    def classify(self, features: Tensor, mean: Tensor | None = None) -> Tensor:
        """Features, (B, n_features) -> logits, (B, n_classes).

        Args:
            features: of windows.
            mean: of the features over the speaker's speech, (B, n_features); None for
                a speaker who was not heard yet. Without `speaker_mean` not looked at.
        """
        logits: Tensor = self.classifier(self.dropout(self.centred(features, mean)))
        return logits

    def centred(self, features: Tensor, mean: Tensor | None = None) -> Tensor:
        """How features differ from the mean, as the classifier sees them."""
        if not self.config.speaker_mean:
            return features
        return features - (self.mean if mean is None else mean)

    def forward(self, columns: Tensor) -> Tensor:
        return self.classify(self.features(columns))


class Cpac(nn.Module):
    """The whole network: frames (B, T, 39 n_channels) -> logits (B, n_classes).

    Frames beyond the last whole column are not looked at. T is at least 38.
    """

    def __init__(
        self, config: CpacConfig | None = None, encoder: Encoder | None = None
    ) -> None:
        """Make it, its weights by chance; `encoder` is another than CPAC's."""
        super().__init__()
        self.config = config or CpacConfig()
        self.encoder = encoder or Encoder(self.config)
        self.head = Head(self.config)

    def forward(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(frames))
        return logits
