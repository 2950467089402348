"""A CPAC network -> its two graphs, `encoder.onnx` and `head.onnx`.

The graphs' initialisers keep the names of the torch parameters, so that an adapted
network can be written into the same graphs.
"""

import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from ser_stream.nn.cpac import FRAMES_PER_COLUMN, Cpac, Encoder
from ser_stream.pipeline.bundle import ENCODER, HEAD

OPSET = 18


class _EncoderStep(nn.Module):
    """`Encoder.step` as a forward pass, which is what the exporter takes."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self, frames: Tensor, kept_1: Tensor, kept_2: Tensor, kept_3: Tensor
    ) -> tuple[Tensor, ...]:
        return self.encoder.step(frames, kept_1, kept_2, kept_3)


def write_pair(model: Cpac, folder: Path) -> None:
    """Write both graphs into `folder`; the network is put in evaluation mode.

    - encoder: frames (1, 8 n + 2, 39 n_channels) and three kept_i -> columns
      (1, n, 6, 64) and three keep_i; see `Encoder.step`.
    - head: columns (1, n, 6, 64) -> logits (1, n_classes).
    """
    model.eval()
    columns = torch.export.Dim("columns", min=1, max=64)
    kept = [torch.zeros(shape) for shape in model.encoder.kept_shapes()]
    _write(
        _EncoderStep(model.encoder),
        (torch.zeros(1, FRAMES_PER_COLUMN * 3 + 2, len(model.encoder.mean)), *kept),
        ({1: FRAMES_PER_COLUMN * columns + 2}, None, None, None),
        ["frames", *(f"kept_{i}" for i in (1, 2, 3))],
        ["columns", *(f"keep_{i}" for i in (1, 2, 3))],
        folder / ENCODER,
    )
    config = model.config
    example = torch.zeros(1, 3, config.n_primary, config.capsule_dim)
    _write(
        model.head, (example,), ({1: columns},), ["columns"], ["logits"], folder / HEAD
    )


def _write(
    module: nn.Module,
    example: tuple[Tensor, ...],
    dynamic: tuple[object, ...],
    inputs: list[str],
    outputs: list[str],
    path: Path,
) -> None:
    with warnings.catch_warnings():
        # torch's exporter warns about its own internals.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    graph = program.model_proto
    _forget_the_machine(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def _forget_the_machine(graph: onnx.ModelProto) -> None:
    """Drop what the exporter notes beside each node: stack traces, with local paths."""
    for part in (
        graph.graph,
        *graph.graph.node,
        *graph.graph.input,
        *graph.graph.output,
        *graph.graph.value_info,
        *graph.graph.initializer,
    ):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
