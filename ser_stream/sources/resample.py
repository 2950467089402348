"""Any rate and any channels -> mono at 16 kHz, statefully."""

import soxr

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from ser_stream.sources.channels import EACH, MIX, ChannelMixer


class MonoResampler:
    """Takes one channel, or the mean of all, and resamples it piece by piece.

    soxr's stream keeps its filter's state, so the result does not depend on how the
    audio was cut.
    """

    def __init__(
        self, rate: int, channels: int, channel: str = MIX, name: str = "audio"
    ) -> None:
        """Begin; see `ChannelMixer` for `channel` and `name`."""
        self.rate = rate
        self.channels = channels
        self._out = channels if channel == EACH else 1
        self._mixer = ChannelMixer(rate, channels, channel, name)
        self.reset()

    def reset(self) -> None:
        """Forget the filter's state, as after a gap."""
        self._mixer.reset(self.channels)
        self._stream = (
            None
            if self.rate == SAMPLE_RATE
            else soxr.ResampleStream(self.rate, SAMPLE_RATE, self._out, dtype="float32")
        )

    def feed(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        """Samples of shape (n, channels) -> mono samples, shape (m,).

        With `each` of several channels, (m, channels).
        """
        mono = self._mixer.feed(samples, last=last)
        if self._stream is None:
            return mono
        result: FloatArray = self._stream.resample_chunk(mono, last=last)
        return result
