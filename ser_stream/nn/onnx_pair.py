"""A network -> its two graphs, `encoder.onnx` and `head.onnx`.

The graphs' initialisers keep the names of the torch parameters, so that an adapted
network can be written into the same graphs.
"""

import logging
import warnings
from collections.abc import Sequence
from inspect import Parameter, Signature
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from ser_stream.nn.cpac import Cpac, Encoder, Head
from ser_stream.pipeline.bundle import ENCODER, HEAD

OPSET = 18


class _EncoderStep(nn.Module):
    """`Encoder.step` as a forward pass, which is what the exporter takes."""

    def __init__(self, encoder: Encoder, names: Sequence[str]) -> None:
        super().__init__()
        self.encoder = encoder
        # The exporter wants each input by its name, and the network says how many.
        kind = Parameter.POSITIONAL_OR_KEYWORD
        signature = Signature([Parameter(name, kind) for name in ("self", *names)])
        vars(_EncoderStep.forward)["__signature__"] = signature

    def forward(self, frames: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        return self.encoder.step(frames, *kept)


class _HeadOfSpeaker(nn.Module):
    """`Head` that is told what was heard of the speaker."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(
        self, columns: Tensor, heard: Tensor, heard_s: Tensor
    ) -> tuple[Tensor, Tensor]:
        features = self.head.features(columns)
        return self.head.classify(features, self.head.mean_of(heard, heard_s)), features


def write_pair(model: Cpac, folder: Path) -> None:
    """Write both graphs into `folder`; the network is put in evaluation mode.

    - encoder: frames, with CPAC (1, 8 n + 2, 39 n_channels), and each kept_i -> columns
      (1, n, ...), with CPAC (1, n, 6, 64), and each keep_i; see `Encoder.step`.
    - head: columns (1, n, ...) -> logits (1, n_classes). With `speaker_mean` also heard
      (1, n_features), the sum of features over speech, and heard_s (1, 1), how many
      seconds that was; and features (1, n_features) of this window.
    """
    model.eval()
    geometry = model.config.geometry
    columns = torch.export.Dim("columns", min=1, max=64)
    kept = [torch.zeros(shape) for shape in model.encoder.kept_shapes()]
    n_frames = geometry.frames_per_column * 3 + geometry.kept_frames
    frames = torch.zeros(1, n_frames, model.encoder.n_inputs)
    if geometry.whole:  # a window is never longer
        columns = torch.export.Dim("columns", min=1, max=geometry.max_columns)
    dynamic = geometry.frames_per_column * columns + geometry.kept_frames
    numbers = range(1, len(kept) + 1)
    names = ["frames", *(f"kept_{i}" for i in numbers)]
    _write(
        _EncoderStep(model.encoder, names),
        (frames, *kept),
        ({1: dynamic}, *(None for _ in kept)),
        names,
        ["columns", *(f"keep_{i}" for i in numbers)],
        folder / ENCODER,
    )
    with torch.no_grad():
        example = torch.zeros(model.encoder.step(frames, *kept)[0].shape)
    head: nn.Module = model.head
    inputs: tuple[Tensor, ...] = (example,)
    # Networks need not know of it.
    if getattr(model.config, "speaker_mean", False):
        head = _HeadOfSpeaker(model.head)
        inputs = (example, torch.zeros(1, model.config.n_features), torch.zeros(1, 1))
    _write(
        head,
        inputs,
        ({1: columns}, None, None)[: len(inputs)],
        ["columns", "heard", "heard_s"][: len(inputs)],
        ["logits", "features"] if len(inputs) > 1 else ["logits"],
        folder / HEAD,
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
