"""Whisper's network as small as can be, its weights by chance, and a bundle of it."""

from pathlib import Path

import torch

from ser_stream.nn.onnx_pair import write_pair
from ser_stream.nn.whisper import FrozenWhisper, Int8Weight, Whisper, WhisperConfig
from ser_stream.pipeline.floor import FloorConfig
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.mfcc import LOG_MEL
from ser_stream.pipeline.normalise import NormaliseConfig
from tests.helpers.tiny_network import write_bundle

LABELS = ("angry", "neutral", "sad")
CONFIG = WhisperConfig(
    n_classes=len(LABELS),
    n_channels=1,
    n_statistics=16,
    speaker_mean=True,
    width=16,
    n_heads=2,
    n_blocks=1,
)
FRONT_END = FrontEndConfig(LOG_MEL, NormaliseConfig(kind="fixed"), floor=FloorConfig())


def small_whisper() -> Whisper:
    """A network that tells sounds apart, though it knows nothing of them."""
    torch.manual_seed(5)
    network = Whisper(CONFIG)
    frozen = network.encoder.frozen
    assert isinstance(frozen, FrozenWhisper)
    for part in frozen.modules():
        if isinstance(part, Int8Weight):
            scale = 2.0 / part.weight[0].numel() ** 0.5
            part.set(scale * torch.randn(part.weight.shape), 0.1 * part.bias)
    frozen.position.normal_()
    network.head.classifier.weight.data.mul_(20.0)
    return network.eval()


def export_small_whisper(folder: Path) -> None:
    """Its bundle: the graphs as the project's own exporter writes them."""
    folder.mkdir(parents=True)
    network = small_whisper()
    write_pair(network, folder)
    write_bundle(
        folder,
        "small-whisper",
        LABELS,
        CONFIG.geometry,
        FRONT_END,
        step_ms=round(1000 * CONFIG.step_s),
    )
