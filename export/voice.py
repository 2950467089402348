"""Resemblyzer's voice encoder -> the graph by which `--tell-speakers` knows voices."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ser_stream.atomic_file import replace_file
from training.recipe.teacher.pretrained import all_resemblyzer_weights

N_LAYERS, N_HIDDEN, N_MELS = 3, 256, 40
OPSET = 18


def voice_graph(weights: dict[str, Any]) -> onnx.ModelProto:
    """The network as ONNX: mel, (1, frames, 40) -> embedding, (1, 256), norm 1.

    Args:
        weights: by torch's names, as `lstm.weight_ih_l0` and `linear.bias`; arrays.
    """
    made: list[onnx.TensorProto] = []

    def kept(name: str, array: Any) -> str:
        made.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    nodes = [helper.make_node("Transpose", ["mel"], ["x0"], perm=[1, 0, 2])]
    for i in range(N_LAYERS):
        part = {
            name: _iofc(np.asarray(weights[f"lstm.{name}_l{i}"]))
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        bias = np.concatenate([part["bias_ih"], part["bias_hh"]])
        inputs = [
            f"x{i}",
            kept(f"W{i}", part["weight_ih"][None]),
            kept(f"R{i}", part["weight_hh"][None]),
            kept(f"B{i}", bias[None]),
        ]
        # (frames, 1, 1, 256); of the last layer only what it ends with is wanted.
        last = i == N_LAYERS - 1
        outputs = ["", "hidden"] if last else [f"y{i}"]
        nodes.append(
            helper.make_node("LSTM", inputs, outputs, f"layer{i}", hidden_size=N_HIDDEN)
        )
        axis = kept_axis(made, i, last=last)
        squeezed = "last" if last else f"x{i + 1}"
        nodes.append(helper.make_node("Squeeze", [outputs[-1], axis], [squeezed]))
    matrix = kept("linear", np.asarray(weights["linear.weight"]).T)
    offset = kept("offset", weights["linear.bias"])
    nodes += [
        helper.make_node("MatMul", ["last", matrix], ["product"]),
        helper.make_node("Add", ["product", offset], ["sum"]),
        helper.make_node("Relu", ["sum"], ["positive"]),
        helper.make_node("LpNormalization", ["positive"], ["embedding"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "voice_encoder",
        [
            helper.make_tensor_value_info(
                "mel", TensorProto.FLOAT, [1, "frames", N_MELS]
            )
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, N_HIDDEN])],
        made,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def kept_axis(made: list[onnx.TensorProto], i: int, *, last: bool) -> str:
    """Axis of the directions, of which there is one: 0 of the state, 1 of outputs."""
    name = f"directions{i}"
    made.append(numpy_helper.from_array(np.array([0 if last else 1], np.int64), name))
    return name


def _iofc(array: Any) -> Any:
    """Rows in torch's order of the gates (i, f, g, o) -> in ONNX's (i, o, f, g)."""
    i, f, g, o = np.split(array, 4)
    return np.concatenate([i, o, f, g])


def in_eight_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same with matrices of eight bits, but for the one that meets the mel bands.

    Powers of mel bands reach over six orders of magnitude, and so do its weights: in
    eight bits the cosine with the true embedding falls from 0.999 to 0.94. The upper
    layers compute in eight bits, too (ONNX Runtime's dynamic quantisation), which takes
    a third of the time and changes no digit of that.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with TemporaryDirectory() as folder:
        path = Path(folder) / "voice.onnx"
        quantize_dynamic(
            model,
            path,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_quantize=[f"layer{i}" for i in range(1, N_LAYERS)],
        )
        small = onnx.load(path)
    for name in ("linear", "R0"):
        _keep_in_eight_bits(small.graph, name)
    return small


def _keep_in_eight_bits(graph: onnx.GraphProto, name: str) -> None:
    """A weight, (..., rows, columns): bytes, and a scale for each row."""
    weight = next(each for each in graph.initializer if each.name == name)
    array = numpy_helper.to_array(weight)
    axis = array.ndim - 2
    scale = np.abs(array).max(axis=-1, keepdims=True) / 127
    small = np.round(array / scale).astype(np.int8)
    graph.initializer.remove(weight)
    for kind, value in (("int8", small), ("scale", scale.astype("f4").reshape(-1))):
        graph.initializer.append(numpy_helper.from_array(value, f"{name}_{kind}"))
    inputs = [f"{name}_int8", f"{name}_scale"]
    node = helper.make_node("DequantizeLinear", inputs, [name], axis=axis)
    graph.node.insert(0, node)


def export_voice(weights: Path, out: Path, *, eight_bits: bool = True) -> str:
    """Write the graph; returns its SHA-256.

    Args:
        weights: folder with Resemblyzer's wheel.
        out: file to write.
        eight_bits: or float32, which is four times as large.

    Raises:
        SourceError: if the wheel is not there, with the command to get it.
    """
    model = voice_graph(all_resemblyzer_weights(weights))
    data = (in_eight_bits(model) if eight_bits else model).SerializeToString()
    replace_file(out, data)
    return hashlib.sha256(data).hexdigest()
