"""Causal normalisation of MFCC frames: level-robust, block by block.

A microphone's gain shifts only the first coefficient, c0, by a constant. `peak` takes
from c0 its own running maximum, which leaks slowly so that one shout is forgotten. The
maximum is updated once a block, before it is subtracted, so nothing looks ahead.
`fixed` leaves the frames alone: level is then left to the network, which must have been
trained over many gains. The fixed mean and deviation of the training frames are folded
into the encoder and are not applied here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ser_stream.errors import ConfigError
from ser_stream.pipeline.floor import loudest_of
from ser_stream.pipeline.values import FloatArray

Kind = Literal["fixed", "peak"]


@dataclass(frozen=True, slots=True)
class NormaliseConfig:
    """Which normalisation, and its constants; part of the front-end hash."""

    kind: Kind = "peak"
    leak_db_per_s: float = 1.0
    """How fast the running maximum forgets, dB of all mel bands each second."""
    floor_dbfs: float = -70.0
    """The maximum never falls below the c0 of white noise of about this level."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ConfigError(
                f"normalisation {self.kind!r} is unknown; allowed: "
                f"{', '.join(get_args(Kind))}"
            )


# c0 is the sum of 128 mel levels in dB over sqrt(128): one dB on every band is this.
C0_PER_DB = float(np.sqrt(128.0))
# Slaney filters have unit area in Hz (about 1/20 of it in bins), so white noise of
# 0 dBFS reads about 10*log10(sum(hann**2) / 20) = 12 dB on every mel band.
_WHITE_NOISE_DB = 12.0


class Normaliser:
    """Frames -> normalised frames."""

    def __init__(self, config: NormaliseConfig | None = None) -> None:
        self.config = config or NormaliseConfig()
        self.floor = C0_PER_DB * (self.config.floor_dbfs + _WHITE_NOISE_DB)
        self.leak = C0_PER_DB * self.config.leak_db_per_s * 0.1
        self.reset()

    def reset(self, peak: float | None = None) -> None:
        """Forget the level; `peak` sets the running maximum of c0, as if warmed up."""
        self._peak = self.floor if peak is None else max(peak, self.floor)

    def feed(
        self, frames: FloatArray, blocks: Sequence[int] | None = None
    ) -> FloatArray:
        """Normalise the frames of one block, (m, 39 or more), or of several.

        Args:
            frames: one after the other.
            blocks: how many of the frames each block has; none has 0.
        """
        if self.config.kind == "fixed" or not len(frames):
            return frames
        first = frames[:, 0]
        result = frames.copy()
        if blocks is None:
            result[:, 0] -= np.float32(self.follow(float(first.max())))
        else:
            peaks = [self.follow(loudest) for loudest in loudest_of(first, blocks)]
            result[:, 0] -= np.repeat(np.array(peaks, np.float32), blocks)
        return result

    def follow(self, loudest: float) -> float:
        """What is taken from c0 in a block, by the greatest c0 of its frames."""
        leaked = max(self.floor, self._peak - self.leak)
        self._peak = max(leaked, loudest)
        return self._peak
