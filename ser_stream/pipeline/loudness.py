"""How loud a block is beside the room, for the gate of speech and its detector.

It depends on the blocks so far alone, not on what the detector makes of them: so a
whole recording may be measured first and listened to afterwards.
"""

import math
from dataclasses import dataclass

from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.detector_gain import DetectorGain

FLOOR_RISE_DB = 0.1
"""How much the noise floor rises a block at most: 1 dB a second."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """What the levels say of a block."""

    energy: float
    """Sum of squares of its samples, full scale 1."""
    loud: bool
    """Whether it rises from the noise floor, so that the detector should listen."""
    gain_db: float
    """How much louder the detector is to hear it, 0 to 40 dB."""


class LoudnessMeter:
    """Energies of blocks -> how loud they are; follows the noise floor."""

    def __init__(self, wake_dbfs: float, wake_above_floor_db: float) -> None:
        """Thresholds, as `SpeechGateConfig` explains them."""
        self._gain = DetectorGain()
        self.reconfigure(wake_dbfs, wake_above_floor_db)
        self.reset()

    def reconfigure(self, wake_dbfs: float, wake_above_floor_db: float) -> None:
        """Other thresholds from here on; the state is kept."""
        self._wake_dbfs = wake_dbfs
        self._above_floor_db = wake_above_floor_db

    def reset(self) -> None:
        """Nothing is known of the room any more."""
        self._gain.reset()
        self._floor_db: float | None = None

    def feed(self, energy: float, total: float) -> Loudness:
        """The next block.

        Args:
            energy: sum of the squares of its 1600 samples.
            total: sum of its samples.
        """
        mean = total / BLOCK_LENGTH
        # Of the alternating part: a constant is no sound.
        variance = energy / BLOCK_LENGTH - mean * mean
        level = 10.0 * math.log10(max(variance, 1e-12))
        before = self._floor_db
        floor = level if before is None else min(level, before + FLOOR_RISE_DB)
        floor = max(floor, self._wake_dbfs - self._above_floor_db)
        self._floor_db = floor
        loud = level > floor + self._above_floor_db
        if before is None:
            # Nothing is known of the room yet; there may be speech already.
            loud = level > self._wake_dbfs
        return Loudness(energy, loud, self._gain.feed(level, floor))
