"""A second network, as small as can be, whose columns lie on other frames than CPAC's.

Two convolutions over time: one of four frames in steps of four, one over two of its
rows. So a column sees eight frames and costs four, one row is kept, and the first
column of a cold encoder is dropped.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ser_stream.nn.cpac import Cpac
from ser_stream.nn.onnx_pair import write_pair
from ser_stream.pipeline.bundle import ENCODER, HEAD, seal
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.geometry import Geometry
from ser_stream.pipeline.smoothing import SmoothingConfig

GEOMETRY = Geometry(
    frames_per_column=4,
    receptive_frames=8,
    kept_frames=0,
    cold_columns=1,
    max_columns=18,
)
LABELS = ("high", "low")


@dataclass(frozen=True)
class TinyConfig:
    """What `build` would give it."""

    n_classes: int = 2
    step_s: float = 0.2
    geometry: Geometry = GEOMETRY


class TinyEncoder(nn.Module):
    """Frames (B, 4 n + 4, 39) -> columns (B, n, 5)."""

    n_inputs = 39

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(39))
        self.rows = nn.Conv1d(39, 8, 4, stride=4)
        self.join = nn.Conv1d(8, 5, 2)

    def forward(self, frames: Tensor) -> Tensor:
        return self._columns(self._rows(frames))

    def step(self, frames: Tensor, *kept: Tensor) -> tuple[Tensor, Tensor]:
        rows = torch.cat([kept[0], self._rows(frames)], dim=2)
        return self._columns(rows), rows[:, :, -1:]

    def kept_shapes(self) -> Sequence[tuple[int, ...]]:
        return [(1, 8, 1)]

    def _rows(self, frames: Tensor) -> Tensor:
        return torch.tanh(self.rows(frames.transpose(1, 2) / 100.0))

    def _columns(self, rows: Tensor) -> Tensor:
        return torch.tanh(self.join(rows)).transpose(1, 2)


class TinyHead(nn.Module):
    """The mean column -> logits."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(5, len(LABELS))

    def forward(self, columns: Tensor) -> Tensor:
        logits: Tensor = 20.0 * self.classifier(columns.mean(1))
        return logits


class Tiny(nn.Module):
    """The whole network."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.config = TinyConfig()
        self.encoder, self.head = TinyEncoder(), TinyHead()

    def forward(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(frames))
        return logits


def tiny_network() -> Cpac:
    """The network, as everything that takes one by its kind sees it."""
    return cast(Cpac, Tiny().eval())


def export_tiny_network(folder: Path) -> None:
    """Its bundle: the graphs as the project's own exporter writes them."""
    folder.mkdir(parents=True)
    write_pair(tiny_network(), folder)
    write_bundle(folder, "tiny", LABELS, GEOMETRY, FrontEndConfig())


def write_bundle(
    folder: Path,
    name: str,
    labels: Sequence[str],
    geometry: Geometry,
    front_end: FrontEndConfig,
    **more: Any,
) -> None:
    """The manifest of a bundle whose graphs are there, not calibrated."""
    manifest: dict[str, Any] = {
        "name": name,
        "licence": "MIT",
        "labels": list(labels),
        "front_end": front_end.to_dict(),
        "front_end_hash": front_end.hash,
        "geometry": geometry.to_dict(),
        "temperatures": [1.0] * geometry.max_columns,
        "clip_temperature": 1.0,
        "thresholds": asdict(SmoothingConfig(uncertain=0.0)),
        "corpora": [],
        **more,
    }
    seal(folder, manifest, (ENCODER, HEAD))
