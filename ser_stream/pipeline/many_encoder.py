"""The encoder over many streams, each with its own frames and state, in few calls.

The exported encoder takes one stream. A copy of it takes any number along its first
axis, and computes its ELUs faster.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_stream.pipeline.geometry import Geometry
from ser_stream.pipeline.onnx_graph import OnnxGraph
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.values import EncoderState, FloatArray

if TYPE_CHECKING:
    import onnxruntime

FRAMES_AT_ONCE = 144
"""Of all streams in one call; what the layers make of more does not stay in a
processor's cache."""
EQUAL = 1e-4
"""How far from the encoder's own numbers those of the copy may be; both are rounded."""


class ManyEncoder:
    """A copy of a bundle's encoder."""

    def __init__(self, session: "onnxruntime.InferenceSession") -> None:
        self._session = session
        self._kept = [node.name for node in session.get_inputs()[1:]]

    @staticmethod
    def of(
        path: Path, encoder: "onnxruntime.InferenceSession", geometry: Geometry
    ) -> "ManyEncoder | None":
        """Make the copy, and compare it with the `encoder`, loaded from `path`.

        None where it has no ELU, as Whisper's, whose windows are encoded whole: one
        keeps a processor busy. And where its copy computes something else.
        """
        try:
            graph = OnnxGraph(path.read_bytes()).with_plain_elu()
            if graph is None:
                return None
            # With the system's memory, which is cleared first, a call takes half as
            # long again.
            copy = open_session(path, graph.for_many().to_bytes(), arena=True)
            many = ManyEncoder(copy)
            return many if many._equals(encoder, geometry) else None
        except Exception:  # noqa: BLE001  a foreign graph may fail anywhere in this
            return None

    def _equals(
        self, encoder: "onnxruntime.InferenceSession", geometry: Geometry
    ) -> bool:
        n_frames = 2 * geometry.frames_per_column + geometry.kept_frames
        (_, shape), *kept = ((n.name, n.shape) for n in encoder.get_inputs())
        rng = np.random.default_rng(0)

        def made(*shape: Any) -> FloatArray:
            return rng.normal(0, 0.3, shape).astype(np.float32)

        frames = [made(n_frames, shape[-1]) for _ in range(3)]
        states = [tuple(made(*shape) for _, shape in kept) for _ in frames]
        together = self.run(frames, states)
        for x, state, (columns, keep) in zip(frames, states, together, strict=True):
            feed = dict(zip(self._kept, state, strict=True))
            alone = encoder.run(None, {"frames": x[None], **feed})
            for one, other in zip((columns[None], *keep), alone, strict=True):
                if one.shape != other.shape or abs(one - other).max() > EQUAL:
                    return False
        return True

    def run(
        self, frames: Sequence[FloatArray], states: Sequence[EncoderState]
    ) -> list[tuple[FloatArray, EncoderState]]:
        """Of each stream, the columns, (n, ...), and what the encoder keeps.

        Args:
            frames: of each, all of one shape.
            states: of each, with as many arrays as the graph keeps.
        """
        at_once = max(1, FRAMES_AT_ONCE // max(1, len(frames[0])))
        result: list[tuple[FloatArray, EncoderState]] = []
        for at in range(0, len(frames), at_once):
            feed = {"frames": np.stack(frames[at : at + at_once])}
            by_name = zip(*states[at : at + at_once], strict=True)
            for name, parts in zip(self._kept, by_name, strict=True):
                feed[name] = np.concatenate(parts)
            columns, *keep = self._session.run(None, feed)
            result += [
                (one, tuple(part[i : i + 1] for part in keep))
                for i, one in enumerate(columns)
            ]
        return result
