"""Silero over many frames at once, ahead of the gate that asks block by block.

What comes before its memory looks at each frame alone: matrix products of many frames
(the graph does them frame by frame, in three times the time). Its memory, an LSTM, is
run by ONNX Runtime, over as much as will likely be asked for; where the gate fell
asleep within that, once more up to there.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.detector import (
    VAD_CONTEXT,
    VAD_LENGTH,
    Memory,
    silero_path,
)
from ser_stream.pipeline.loudness import Loudness
from ser_stream.pipeline.onnx_graph import OnnxGraph
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.values import FloatArray

LEAST_AHEAD, MOST_AHEAD = 10, 40
"""Blocks to hear in one call. The gate stays awake for a second at least."""
_TAPER, _HOP = 256, 128
_MEMORY_IN = "/Relu_3_output_0"
"""The graph's name for what its memory is given."""


class SileroParts:
    """Silero's graph in two parts: frames -> features -> probabilities."""

    def __init__(self) -> None:
        """Read the graph.

        Raises:
            ModelError: if ONNX Runtime cannot load it.
        """
        path = silero_path()
        graph = OnnxGraph(path.read_bytes())
        state = (1, "streams", 128)
        inputs: dict[str, tuple[int | str, ...]] = {
            _MEMORY_IN: ("frames", 128, "streams"),
            "h": state,
            "c": state,
        }
        part = graph.part(inputs, ["speech_probs", "hn", "cn"])
        self._session = open_session(path, part.to_bytes())
        weights = graph.weights()
        self._taper = np.hanning(_TAPER + 1)[:-1].astype(np.float32)
        self._layers = [
            (
                # (outputs, inputs, taps) -> (taps inputs, outputs)
                np.ascontiguousarray(
                    weights[f"encoder.{i}.weight"].transpose(2, 1, 0)
                ).reshape(-1, len(weights[f"encoder.{i}.bias"])),
                weights[f"encoder.{i}.bias"],
            )
            for i in range(4)
        ]

    def features(self, frames: FloatArray) -> FloatArray:
        """Frames with their context, (n, 576) -> (n, 128, 1).

        Four spectra of 256 samples, then four convolutions over them of three taps,
        the second and third with a stride of two, each with zeros at its ends.
        """
        n = len(frames)
        mirrored = np.concatenate([frames, frames[:, -2 : -2 - VAD_CONTEXT : -1]], 1)
        # Views by hand: numpy's own way to them takes as long as the products.
        a_row, one = mirrored.strides
        windows = as_strided(mirrored, (n, 4, _TAPER), (a_row, _HOP * one, one))
        # The graph's kernels are this transform.
        waves = np.fft.rfft(windows * self._taper, axis=-1)
        power = np.square(waves.real) + np.square(waves.imag)
        x: FloatArray = np.sqrt(power).astype(np.float32, copy=False)
        for (weight, bias), stride in zip(self._layers, (1, 2, 2, 1), strict=True):
            x = _convolved(x, weight, stride)
            x += bias
            np.maximum(x, 0.0, out=x)
        return x.reshape(n, -1, 1)

    def remembered(
        self, features: FloatArray, memory: Memory
    ) -> tuple[FloatArray, Memory]:
        """Features in a row -> probabilities of speech, (n,), and the memory then."""
        probabilities, memory = self.remembered_by_each(features, memory)
        return probabilities[0], memory

    def remembered_by_each(
        self, features: FloatArray, memory: Memory
    ) -> tuple[FloatArray, Memory]:
        """The same of many streams, (n, 128, n_streams) -> (n_streams, n)."""
        h, c = memory
        feed = {_MEMORY_IN: features, "h": h, "c": c}
        probabilities: FloatArray
        probabilities, h, c = self._session.run(None, feed)
        return probabilities.reshape(h.shape[1], -1), (h, c)


def _convolved(x: FloatArray, weight: FloatArray, stride: int) -> FloatArray:
    """(n, length, inputs) -> (n, length / stride, outputs), a zero before and after."""
    n, length, width = x.shape
    padded = np.zeros((n, length + 2, width), np.float32)
    padded[:, 1:-1] = x
    a_row, a_step, one = padded.strides
    shape, strides = (n, length // stride, 3 * width), (a_row, stride * a_step, one)
    taps = as_strided(padded, (shape[0], max(1, shape[1]), shape[2]), strides)
    result: FloatArray = (taps.reshape(-1, 3 * width) @ weight).reshape(
        n, -1, weight.shape[1]
    )
    return result


@lru_cache(maxsize=1)
def silero_parts() -> SileroParts:
    """The parts, made once; any thread may use them."""
    return SileroParts()


class AheadSilero:
    """What `Silero` says, found out ahead: the detector of a gate."""

    def __init__(self) -> None:
        self._parts = silero_parts()
        self._louder = np.zeros((0, BLOCK_LENGTH), np.float32)
        self._loud: list[bool] = []
        self._end = 0
        self.reset()

    def look(
        self, blocks: FloatArray, loudness: Sequence[Loudness], first_end: int
    ) -> None:
        """Have the blocks of the next cut, (n, 1600), that the gate will ask about.

        `first_end` is the sample index at which the first of them ends.
        """
        gains = [10.0 ** (one.gain_db / 20.0) for one in loudness]
        self._louder = blocks * np.array(gains, np.float32)[:, None]
        self._loud = [one.loud for one in loudness]
        self._end = first_end

    def reset(self) -> None:
        """See `Detector`."""
        zeros = np.zeros((1, 1, 128), np.float32)
        self._memory: Memory = zeros, zeros
        self._begin()

    def _begin(self) -> None:
        # Of the stretch that was heard ahead: what its memory began with and was given,
        # and what came out, of which so much was asked for.
        self._before = self._memory
        self._features = np.zeros((0, 128, 1), np.float32)
        self._probabilities = np.zeros(0, np.float32)
        self._told = 0
        self._behind = np.zeros(VAD_CONTEXT, np.float32)
        self._backlog = 0

    def skip(self) -> None:
        """See `Detector`."""
        if self._told < len(self._probabilities):
            self._memory = self._before
            if self._told:
                _, self._memory = self._parts.remembered(
                    self._features[: self._told], self._before
                )
        self._begin()

    @property
    def backlog(self) -> int:
        """See `Detector`."""
        return self._backlog

    def feed(self, samples: FloatArray, end: int = 0, /) -> FloatArray:
        """See `Detector`; `samples` are those that `look` was given, made louder."""
        n, self._backlog = divmod(self._backlog + len(samples), VAD_LENGTH)
        if self._told == len(self._probabilities):
            self._hear(samples, (end - self._end) // BLOCK_LENGTH + 1)
        self._told += n
        return self._probabilities[self._told - n : self._told]

    def _hear(self, samples: FloatArray, following: int) -> None:
        """Hear `samples` and, of the cut, the blocks from number `following` on."""
        ahead = self._louder[following : self._stretch(following)].reshape(-1)
        heard = np.concatenate([self._behind, samples, ahead])
        n = (len(heard) - VAD_CONTEXT) // VAD_LENGTH
        self._behind = heard[n * VAD_LENGTH :]
        frames = sliding_window_view(heard, VAD_CONTEXT + VAD_LENGTH)[::VAD_LENGTH]
        self._before, self._told = self._memory, 0
        self._features = self._parts.features(frames)
        self._probabilities, self._memory = self._parts.remembered(
            self._features, self._before
        )

    def _stretch(self, at: int) -> int:
        """Number of the block up to which the gate will likely be awake."""
        end = at + LEAST_AHEAD
        most = min(at + MOST_AHEAD, len(self._loud))
        while end < most and any(self._loud[end - LEAST_AHEAD : end]):
            end += 1
        return min(end, most)
