"""Silero's detector of speech: how likely each 32 ms are speech."""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ser_stream.pipeline.onnx_graph import OnnxGraph
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.silero_graph import side_by_side
from ser_stream.pipeline.values import FloatArray

if TYPE_CHECKING:
    import onnxruntime

SILERO_SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
"""SHA-256 of the model file in `silero/`."""
SILERO = "silero_vad_16k_sequence.onnx"
VAD_LENGTH = 512
"""Samples the detector takes at a time."""
VAD_CONTEXT = 64
"""Samples before them that it also sees."""

Memory = tuple[FloatArray, FloatArray]
"""State of its LSTM: h and c, each (1, n_streams, 128)."""


class Detector(Protocol):
    """What the gate asks of a detector of speech."""

    def reset(self) -> None:
        """Forget everything."""

    def skip(self) -> None:
        """Samples were left out: what comes does not continue what came."""

    def feed(self, samples: FloatArray, end: int = 0, /) -> FloatArray:
        """Probabilities of the frames of 512 samples that `samples` completes.

        `end` is the sample index after the last of them, for a detector that has the
        samples behind them already.
        """

    @property
    def backlog(self) -> int:
        """Samples that wait for the next frame to be complete."""


def silero_path() -> Path:
    """Where the detector's graph is."""
    return Path(str(files("ser_stream"))) / "pipeline/silero" / SILERO


@lru_cache(maxsize=1)
def silero_session() -> "onnxruntime.InferenceSession":
    """The detector's graph, loaded once: it keeps no state, and any thread may run it.

    Raises:
        ModelError: if ONNX Runtime cannot load it.
    """
    path = silero_path()
    return open_session(path, side_by_side(OnnxGraph(path.read_bytes())).to_bytes())


class Silero:
    """The detector with its state: samples -> probability of speech each 32 ms."""

    def __init__(self, path: Path | None = None) -> None:
        self._session = silero_session() if path is None else open_session(path)
        self.reset()

    def reset(self) -> None:
        zeros = np.zeros((1, 1, 128), np.float32)
        self.memory: Memory = zeros, zeros
        """What it knows of the frames before."""
        self.skip()

    def skip(self) -> None:
        """Samples were left out: what comes does not continue what came."""
        self._pending = np.zeros(VAD_CONTEXT, np.float32)

    def feed(self, samples: FloatArray, end: int = 0, /) -> FloatArray:
        """Probabilities of the frames of 512 samples that `samples` completes."""
        frames = self.frames_of(samples)
        if not len(frames):
            return np.zeros(0, np.float32)
        h, c = self.memory
        probabilities: FloatArray
        probabilities, h, c = self._session.run(None, {"input": frames, "h": h, "c": c})
        self.memory = h, c
        return probabilities.reshape(-1)

    def frames_of(self, samples: FloatArray) -> FloatArray:
        """Take in samples: the frames that they complete, (n, 576), to be heard next.

        Each begins with the 64 samples before it.
        """
        pending = np.concatenate([self._pending, samples])
        n = (len(pending) - VAD_CONTEXT) // VAD_LENGTH
        self._pending = pending[n * VAD_LENGTH :]
        frames = np.empty((n, VAD_CONTEXT + VAD_LENGTH), np.float32)
        for i in range(n):
            at = i * VAD_LENGTH
            frames[i] = pending[at : at + VAD_CONTEXT + VAD_LENGTH]
        return frames

    @property
    def backlog(self) -> int:
        """Samples that wait for the next frame to be complete."""
        return len(self._pending) - VAD_CONTEXT
