"""Any rate and any channels -> mono at 16 kHz, statefully."""

import numpy as np
import soxr

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray


class MonoResampler:
    """Averages channels and resamples chunk by chunk.

    soxr's stream keeps its filter's state, so the result does not depend on how the
    audio was cut.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self.channels = channels
        self.reset()

    def reset(self) -> None:
        """Forget the filter's state, as after a gap."""
        self._stream = (
            None
            if self.rate == SAMPLE_RATE
            else soxr.ResampleStream(self.rate, SAMPLE_RATE, 1, dtype="float32")
        )

    def feed(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        """Samples of shape (n, channels) -> mono samples, shape (m,)."""
        if self.channels == 1:
            mono = np.ascontiguousarray(samples[:, 0], np.float32)
        else:
            mono = samples.mean(axis=1, dtype=np.float32)
        if self._stream is None:
            return mono
        result: FloatArray = self._stream.resample_chunk(mono, last=last)
        return result
