"""Silero's graph, with what comes before its memory in half the time.

As it is published, the graph computes frame by frame: each of its five convolutions is
a product of a large matrix with four columns or fewer. Here the frames lie side by
side, as the rows of one image along which the kernels have a height of 1, so that each
convolution is one product. The weights and the sums are the same, and so is what comes
out, but for rounding: over a minute, 2e-6 of a probability.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.onnx_graph import Node, OnnxGraph
from ser_stream.pipeline.values import FloatArray

MEMORY_IN = "/Relu_3_output_0"
"""The graph's name for what its memory, an LSTM, is given."""
OUTPUTS = ("speech_probs", "hn", "cn")
_STATE = (1, 1, 128)
_FRAME, _MIRRORED, _TAPER, _HOP = 576, 64, 256, 128
_BINS = _TAPER // 2 + 1
_STRIDES = (1, 2, 2, 1)
"""Of the convolutions behind the spectrum, along time."""


def side_by_side(graph: OnnxGraph) -> OnnxGraph:
    """The graph of `silero/`, the same inputs and outputs, in less time."""
    memory = graph.part({MEMORY_IN: ("n", 128, 1), "h": _STATE, "c": _STATE}, OUTPUTS)
    weights = graph.weights()
    tensors: dict[str, NDArray[np.generic]] = {
        "side_mirror": np.array([0, 0, 0, _MIRRORED]),
        "side_image": np.array([1, 1, -1, _FRAME + _MIRRORED]),
        "side_waves": _flat(weights["stft.forward_basis_buffer"]),
        "side_parts": np.array([_BINS, _BINS]),
        "side_last": np.array([3]),
    }
    nodes = [
        Node("Pad", ["input", "side_mirror"], ["side_padded"], {"mode": "reflect"}),
        Node("Reshape", ["side_padded", "side_image"], ["side_rows"]),
        Node(
            "Conv",
            ["side_rows", "side_waves"],
            ["side_spectrum"],
            {"kernel_shape": (1, _TAPER), "strides": (1, _HOP)},
        ),
        Node(
            "Split",
            ["side_spectrum", "side_parts"],
            ["side_re", "side_im"],
            {"axis": 1},
        ),
        Node("Mul", ["side_re", "side_re"], ["side_re2"]),
        Node("Mul", ["side_im", "side_im"], ["side_im2"]),
        Node("Add", ["side_re2", "side_im2"], ["side_power"]),
        Node("Sqrt", ["side_power"], ["side_0"]),
    ]
    for i, stride in enumerate(_STRIDES):
        nodes += _layer(i, stride, weights, tensors)
    nodes += [
        Node(
            "Transpose",
            [f"side_{len(_STRIDES)}"],
            ["side_turned"],
            {"perm": (2, 1, 0, 3)},
        ),
        Node("Squeeze", ["side_turned", "side_last"], [MEMORY_IN]),
    ]
    return memory.preceded_by(nodes, tensors, {"input": ("n", _FRAME)})


def _layer(
    i: int,
    stride: int,
    weights: Mapping[str, FloatArray],
    tensors: dict[str, NDArray[np.generic]],
) -> list[Node]:
    tensors[f"side_weight_{i}"] = _flat(weights[f"encoder.{i}.weight"])
    tensors[f"side_bias_{i}"] = weights[f"encoder.{i}.bias"]
    taps = {"kernel_shape": (1, 3), "strides": (1, stride), "pads": (0, 1, 0, 1)}
    inputs = [f"side_{i}", f"side_weight_{i}", f"side_bias_{i}"]
    return [
        Node("Conv", inputs, [f"side_sum_{i}"], taps),
        Node("Relu", [f"side_sum_{i}"], [f"side_{i + 1}"]),
    ]


def _flat(kernel: FloatArray) -> FloatArray:
    """A kernel along time as one of height 1."""
    return kernel[:, :, None, :]
