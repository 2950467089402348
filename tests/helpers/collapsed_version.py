"""A version that has collapsed, stored without acceptance."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from ser_stream.adaptation.versions.store import Store
from ser_stream.pipeline.bundle import HEAD, Bundle, load_bundle, seal


def put_into_force(folder: Path, base: Bundle) -> str:
    """Give one class for any speech, from the next start on.

    Args:
        folder: of the store.
        base: the model.

    Returns:
        The SHA-256 of the version.
    """
    with Store.open(folder, base) as store:
        staged = store.staging()
        manifest = json.loads(json.dumps(base.manifest))
        for name in manifest["files"]:
            shutil.copy(base.folder / name, staged)
        _always(staged / HEAD, len(base.labels))
        kept = {key: base.manifest[key] for key in ("name", "sha256", "files")}
        manifest["adaptation"] = {"base": kept, "parent": base.sha256}
        manifest["adapted"] = True
        seal(staged, manifest, manifest["files"])
        made = load_bundle(str(staged)).sha256
        store.accept(staged, "forced", {})
        return made


def _always(head: Path, n_classes: int) -> None:
    """Add 20 to the logit of the first class."""
    model = onnx.load(head)
    output = model.graph.output[0]  # behind it, the features
    bias = np.zeros(n_classes, np.float32)
    bias[0] = 20.0
    for node in model.graph.node:
        node.output[:] = [
            "honest" if name == output.name else name for name in node.output
        ]
    model.graph.initializer.append(numpy_helper.from_array(bias, "bias_of_one"))
    model.graph.node.append(
        onnx.helper.make_node("Add", ["honest", "bias_of_one"], [output.name])
    )
    onnx.save(model, head)
