"""A noise floor under the mel bands that follows the voice.

Bands that hold nothing read -120 to -140 dB, and the cosines spread them over all 39
coefficients: a telephone, an MP3, or a microphone's low-pass then changes every one. So
each frame gets white power, some 60 dB under the loudest frame of late: less than any
room adds, and more than an empty band holds. As it follows the voice, a quiet recording
gets as much as a loud one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import ConfigError
from ser_stream.pipeline.mfcc import MfccConfig, hz_to_mel, mel_to_hz
from ser_stream.pipeline.values import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class FloorConfig:
    """How far under the voice; part of the front-end hash."""

    below_peak_db: float = 60.0
    """Of the running maximum of the frames' power, dB."""
    leak_db_per_s: float = 1.0
    """How fast the running maximum forgets, dB each second."""

    def __post_init__(self) -> None:
        if not (self.below_peak_db > 0 and self.leak_db_per_s >= 0):
            raise ConfigError(
                f"floor.below_peak_db is {self.below_peak_db}, leak_db_per_s "
                f"{self.leak_db_per_s}; allowed: above 0, and 0 or more"
            )


@lru_cache(maxsize=4)
def band_shares(config: MfccConfig) -> NDArray[np.float64]:
    """Share of each mel band in the power of a spectrum, (n_mels,), sum 1.

    Slaney's filters have unit area, so a band's reading counts by its width.
    """
    top = hz_to_mel(np.array([SAMPLE_RATE / 2]))[0]
    edges = mel_to_hz(np.linspace(0.0, top, config.n_mels + 2))
    widths: NDArray[np.float64] = edges[2:] - edges[:-2]
    shares: NDArray[np.float64] = widths / widths.sum()
    return shares


class NoiseFloor:
    """Mel power -> mel power with the floor added, block by block."""

    def __init__(self, config: FloorConfig, mfcc: MfccConfig) -> None:
        self.config = config
        self._shares = band_shares(mfcc)
        # What is left of the running maximum a block later.
        self.kept: float = 10.0 ** (-0.1 * config.leak_db_per_s / 10.0)
        self._under: float = 10.0 ** (-config.below_peak_db / 10.0)
        self.reset()

    def reset(self) -> None:
        """Forget the voice, as at a gap."""
        self._peak: float = 0.0

    @property
    def power(self) -> float:
        """What was added to every band of the newest block."""
        return self._peak * self._under

    def feed(
        self, mel: NDArray[np.float64], blocks: Sequence[int] | None = None
    ) -> NDArray[np.float64]:
        """Add the floor to the frames of one block, (m, n_mels), or of several.

        The maximum is updated before each, so nothing looks ahead of the block.

        Args:
            mel: power of the mel bands.
            blocks: how many of the frames each block has; none has 0.
        """
        if not len(mel):
            return mel
        powers = self.powers_of(mel)
        if blocks is None:
            return mel + self.follow(float(powers.max()))
        floors = [self.follow(loudest) for loudest in loudest_of(powers, blocks)]
        added: NDArray[np.float64] = np.repeat(floors, blocks)[:, None]
        return mel + added

    def powers_of(self, mel: NDArray[np.float64]) -> NDArray[np.float64]:
        """Power of each frame, (m,), by which the voice is followed."""
        powers: NDArray[np.float64] = mel @ self._shares
        return powers

    def follow(self, loudest: float) -> float:
        """The floor under a block, by the power of its loudest frame."""
        self._peak = max(self.kept * self._peak, loudest)
        return self.power


def loudest_of(values: NDArray[np.floating], blocks: Sequence[int]) -> list[float]:
    """The greatest value in each block of so many, none of which is empty."""
    rest = iter(values.tolist())
    return [max(islice(rest, n)) for n in blocks]
