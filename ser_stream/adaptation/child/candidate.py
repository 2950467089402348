"""New weights into the same two graphs: a candidate bundle.

The exporter folded batch normalisation into the convolutions and turned some matrices
over. Which tensor became which initialiser is found out by value, with the weights that
the graphs were made of; so weights of another network are noticed, and the graphs
themselves, which a proof of parity stands for, stay as they are.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save
from torch import Tensor

from ser_stream.adaptation.child.statistics import running
from ser_stream.adaptation.pack import WEIGHTS
from ser_stream.errors import ModelError
from ser_stream.nn.cpac import ConvBlock, Cpac
from ser_stream.nn.whisper import Int8Weight
from ser_stream.pipeline.bundle import CARD, ENCODER, HEAD, Bundle, seal
from ser_stream.pipeline.values import FloatArray

PREFIX = {ENCODER: "", HEAD: "head."}
"""Beginnings of the network's tensor names that a graph's initialisers lack."""
TOLERANCE = 1e-4


def write_graphs(folder: Path, before: Cpac, after: Cpac, out: Path) -> None:
    """Copy the graphs in `folder`, made of `before`, to `out` with weights of `after`.

    Raises:
        ModelError: if `before` is not the network of these graphs.
    """
    old, new = _tensors(before), _tensors(after)
    for name in (ENCODER, HEAD):
        graph = onnx.load(folder / name)
        for initialiser in graph.graph.initializer:
            value = numpy_helper.to_array(initialiser)
            if value.dtype != np.float32 or value.size < 2:
                continue  # a constant of the graph, such as a shape
            origin, turned = _origin(value, PREFIX[name] + initialiser.name, old)
            if origin is None:
                raise ModelError(
                    f"{folder / name}: {initialiser.name} is none of the weights; they "
                    "belong to another model"
                )
            tensor = new[origin].T if turned else new[origin]
            written = numpy_helper.from_array(
                np.ascontiguousarray(tensor, np.float32), initialiser.name
            )
            initialiser.CopyFrom(written)
        onnx.save(graph, out / name)


def _origin(
    value: FloatArray, name: str, tensors: Mapping[str, FloatArray]
) -> tuple[str | None, bool]:
    """The tensor that an initialiser holds, and whether turned over."""
    for other in [name] if name in tensors else tensors:
        tensor = tensors[other]
        if _same(value, tensor):
            return other, False
        if tensor.ndim == 2 and _same(value, tensor.T):
            return other, True
    return None, False


def _same(a: FloatArray, b: FloatArray) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)


@torch.no_grad()
def _tensors(model: Cpac) -> dict[str, FloatArray]:
    """The network's tensors, batch normalisation folded into the convolutions.

    Also eight-bit weights unpacked, which the exporter does with small ones.
    """
    tensors = {name: _numpy(t) for name, t in model.state_dict().items()}
    for name, part in model.named_modules():
        if isinstance(part, Int8Weight):
            tensors[f"{name}.full"] = _numpy(part.full)
    for name, kernel, bias in _folded(model):
        tensors[f"{name}.conv.weight"] = _numpy(kernel)
        tensors[f"{name}.conv.bias"] = _numpy(bias)
    return tensors


def _folded(model: Cpac) -> Iterator[tuple[str, Tensor, Tensor]]:
    for name, block in model.named_modules():
        if not isinstance(block, ConvBlock):
            continue
        conv, norm = block.conv, block.norm
        assert conv.bias is not None
        mean, variance = running(norm)
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        yield (
            name,
            conv.weight * scale[:, None, None, None],
            (conv.bias - mean) * scale + norm.bias,
        )


def _numpy(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().to(torch.float32).numpy()
    return array


def write_manifest(
    bundle: Bundle, after: Cpac, adaptation: Mapping[str, Any], out: Path
) -> None:
    """Complete `out`, where the graphs of `after` are, to a bundle.

    `bundle` is the version that was begun from, `adaptation` what the manifest is to
    tell of the round.
    """
    weights = {name: t.contiguous() for name, t in after.state_dict().items()}
    (out / WEIGHTS).write_bytes(save(weights))
    base = base_of(bundle)
    (out / CARD).write_text(
        f"# {bundle.name}, adapted on this machine\n\n"
        f"Adapted without labels from the model `{base['name']}` "
        f"(sha256 {base['sha256']}) to what one microphone heard. What is known of "
        "that model's quality is not known of this one; `manifest.json`, under "
        "`adaptation`, has what was measured before it was taken into service.\n\n"
        f"Licence: {bundle.licence}\n",
        encoding="utf-8",
    )
    manifest: dict[str, Any] = {
        **{key: bundle.manifest[key] for key in _KEPT if key in bundle.manifest},
        "adapted": True,
        "adaptation": {"base": base, "parent": bundle.sha256, **adaptation},
    }
    seal(out, manifest, (ENCODER, HEAD, WEIGHTS))


_KEPT = (
    "name",
    "licence",
    "labels",
    "front_end",
    "front_end_hash",
    "normalisation",
    "step_ms",
    "window_ms",
    "geometry",
    "temperatures",
    "clip_temperature",
    "thresholds",
    "corpora",
    "parts",
    "opset",
)
"""Keys of a manifest that hold for an adapted model, too."""


def base_of(bundle: Bundle) -> dict[str, Any]:
    """The bundle that all adaptation began from: name, sha256, hashes of the graphs."""
    if bundle.adapted:
        base: dict[str, Any] = bundle.manifest["adaptation"]["base"]
        return base
    files = bundle.manifest["files"]
    return {
        "name": bundle.name,
        "sha256": bundle.sha256,
        "files": {name: files[name] for name in (ENCODER, HEAD)},
    }
