"""A microphone that delivers exact zeros: muted, or dead without knowing it."""

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

ZEROS_S = 30.0
"""No room is so quiet for so long: the least bit of a converter flickers."""
_LONGEST = 20
"""Times as long as that, at most, between two attempts to wake it."""


class DeadSignal:
    """Measures how long a device has delivered zeros, and says when to act."""

    def __init__(self) -> None:
        self._after = round(ZEROS_S * SAMPLE_RATE)
        self._run = 0
        self._due = self._wait = self._after

    @property
    def seconds(self) -> float:
        return self._run / SAMPLE_RATE

    def feed(self, samples: FloatArray) -> bool:
        """Whether the device is to be opened again, now that it delivered `samples`.

        After 30 s of zeros for the first time, then after 30 s more, 60, 120, ...
        """
        if samples.any():
            self._run = 0
            self._due = self._wait = self._after
            return False
        self._run += len(samples)
        if self._run < self._due:
            return False
        self._due = self._run + self._wait
        self._wait = min(2 * self._wait, _LONGEST * self._after)
        return True
