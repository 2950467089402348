"""Samples of speech -> an embedding of the voice: who speaks, as 256 numbers.

Resemblyzer's voice encoder (generalised end-to-end loss: Wan et al., ICASSP 2018), of
which `python -m export voice` makes the graph. It was trained on windows of 1.6 s,
whose level was raised to -30 dBFS; its mel bands are of power, without a logarithm, so
the level matters.
"""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser_stream.pipeline.mfcc import MfccConfig, mel_power, power_spectrum
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.values import FloatArray

if TYPE_CHECKING:
    import onnxruntime

MEL = MfccConfig(frame_length=400, hop_length=160, n_mels=40)
"""What it was trained on: 40 mel bands of 25 ms every 10 ms."""
N_EMBEDDING = 256
WINDOW_LENGTH = 25600
"""Samples of a window, 1.6 s."""
LEVEL = 10 ** (-30 / 20)
"""Root mean square of the window it is to hear, full scale 1."""
GRAPH = "voice_encoder.onnx"
GRAPH_SHA256 = "c4ae1a6dcfe0c933963497851f44bf8c41b37ccc8e7a1b2677c77b9f40bdad3a"
"""SHA-256 of the graph beside this file."""


def graph_path() -> Path:
    """Where the graph is."""
    return Path(str(files("ser_stream"))) / "pipeline/voices" / GRAPH


@lru_cache(maxsize=1)
def _session() -> "onnxruntime.InferenceSession":
    # Without state, so any thread may run it, for any stream.
    return open_session(graph_path())


def mel_frames(samples: FloatArray) -> FloatArray:
    """Samples at 16 kHz, (n,), n >= 400 -> power of mel bands, (frames, 40).

    Equals ``librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=400,
    hop_length=160, n_mels=40, center=False).T`` within 1e-5 of the greatest.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, MEL.frame_length)
    power = power_spectrum(frames[:: MEL.hop_length], MEL)
    return mel_power(power, MEL).astype(np.float32)


class VoiceEncoder:
    """The graph under ONNX Runtime, one thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the packaged graph, or another.

        Raises:
            ModelError: if ONNX Runtime cannot load it.
        """
        self._session = _session() if path is None else open_session(path)

    def embedding(self, samples: FloatArray) -> FloatArray:
        """Samples of a window, (n,), best `WINDOW_LENGTH` -> (256,), norm 1."""
        level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        mel = mel_frames(samples) * np.float32((LEVEL / max(level, 1e-6)) ** 2)
        result: FloatArray = self._session.run(None, {"mel": mel[None]})[0][0]
        return result
