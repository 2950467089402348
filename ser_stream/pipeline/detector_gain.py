"""How much louder the detector of speech hears a block than it is.

Silero knows voices near a microphone: of one far away it takes little for speech,
though nothing but its level is different. The gain is one number for a block and
depends on the blocks so far alone, so what the detector hears does not depend on how
audio was cut. Nothing else hears through it.

Chosen on copies of RAVDESS and EmoDB 30 and 50 dB down, and on noise at 0 to -60 dB: a
target 10 dB lower finds speech 0.2 s later, one 15 dB lower misses some; a noise limit
changes little between -70 and -50 dBFS.
"""

TARGET_DBFS = -45.0
"""What the loudest block of late is raised to, if it is softer. Most voices are louder,
and are heard as they are."""
NOISE_DBFS = -60.0
"""The noise floor is raised no higher: idle rooms stay quiet."""
MAX_GAIN_DB = 40.0
LEAK_DB = 0.1
"""How much the running peak falls a block: 1 dB a second, so a word is louder than the
next by what the speaker made it."""


class DetectorGain:
    """Levels of blocks -> gains, none of which looks ahead."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing is known of the room any more."""
        self._peak_db: float | None = None

    def feed(self, level_db: float, floor_db: float) -> float:
        """The gain of one block in dB, 0 to 40; 36 with the least floor of the gate.

        Args:
            level_db: of the block, dBFS. A loud one lowers the gain at once.
            floor_db: the noise floor, dBFS.
        """
        peak = level_db
        if self._peak_db is not None:
            peak = max(level_db, self._peak_db - LEAK_DB)
        self._peak_db = peak
        wanted = min(TARGET_DBFS - peak, NOISE_DBFS - floor_db)
        return min(max(wanted, 0.0), MAX_GAIN_DB)
