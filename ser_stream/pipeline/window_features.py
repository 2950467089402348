"""Columns of many windows -> what the last layer sees of them, in few calls.

The exported head takes one window, and its features do not depend on the speaker. So
the part of it that makes them is cut out, with any number of windows along its first
axis. Where a graph does not allow that, its windows go one by one.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_stream.pipeline.onnx_graph import OnnxGraph
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.values import FloatArray

if TYPE_CHECKING:
    import onnxruntime

WINDOWS_AT_ONCE = 16
"""In one call; more are not faster, and take memory."""
EQUAL = 1e-4
"""How far from the head's own features those of the part may be; both are rounded."""


class WindowFeatures:
    """The part of a bundle's head that makes the features."""

    def __init__(self, path: Path, head: "onnxruntime.InferenceSession") -> None:
        """Cut it out, and compare with the `head` itself, loaded from `path`."""
        nodes = {node.name: node.shape for node in head.get_inputs()}
        shape = nodes["columns"]
        self._head = head
        self._nobody = {
            name: np.zeros([1 if isinstance(n, str) else n for n in shape], np.float32)
            for name, shape in nodes.items()
            if name != "columns"
        }
        self._many: onnxruntime.InferenceSession | None = None
        try:
            graph = OnnxGraph(path.read_bytes())
            part = graph.part({"columns": shape}, ["features"]).for_many()
            self._many = open_session(path, part.to_bytes())
            rng = np.random.default_rng(0)
            trial = rng.normal(0, 0.3, (3, 4, *shape[2:])).astype(np.float32)
            together = self._many.run(None, {"columns": trial})[0]
            alone = np.array([self._alone(columns) for columns in trial])
            if together.shape != alone.shape or abs(together - alone).max() > EQUAL:
                self._many = None
        except Exception:  # noqa: BLE001  a foreign graph may fail anywhere in this
            self._many = None

    @property
    def together(self) -> bool:
        """Whether windows are computed together."""
        return self._many is not None

    def of(self, windows: Sequence[FloatArray]) -> list[FloatArray]:
        """Columns of windows, each (n, ...) -> their features, each (n_features,)."""
        if self._many is None:
            return [self._alone(columns) for columns in windows]
        by_length = defaultdict(list)
        for i, columns in enumerate(windows):
            by_length[len(columns)].append(i)
        result: dict[int, FloatArray] = {}
        for which in by_length.values():
            for at in range(0, len(which), WINDOWS_AT_ONCE):
                some = which[at : at + WINDOWS_AT_ONCE]
                stacked = np.stack([windows[i] for i in some])
                features = self._many.run(None, {"columns": stacked})[0]
                result.update(zip(some, features, strict=True))
        return [result[i] for i in range(len(windows))]

    def _alone(self, columns: FloatArray) -> FloatArray:
        feed = {"columns": columns[None], **self._nobody}
        result: FloatArray = self._head.run(["features"], feed)[0][0]
        return result
