"""What the network's features are like on average for the present speaker.

A voice that is always tense sounds angry to a network that never heard it. So a network
may be trained to be told how the features of a window differ from their mean over the
speech of the speaker: here, of the stream. The mean is shrunk towards that of unknown
voices, which the graph holds: at first it is nothing else, after 12.5 s half
of it is the speaker's own.
"""

from collections import deque

import numpy as np

from ser_stream.pipeline.values import FloatArray

LEAST_COLUMNS = 10
"""Features of shorter windows say little of a voice, and do not count."""
DELAY_S = 3.0
"""What was said so lately does not count yet: it is what is to be told apart."""


class SpeakerMean:
    """Sum of features over speech, and how much speech that was; slow and causal."""

    def __init__(self, step_s: float) -> None:
        """Begin with a speaker who was not heard yet; a step adds so many seconds."""
        self._step_s = step_s
        self._recent: deque[FloatArray] = deque()
        self._delay = round(DELAY_S / step_s)
        self._sum: FloatArray | None = None
        self._steps = 0

    @property
    def seconds(self) -> float:
        """How much speech counts by now."""
        return self._steps * self._step_s

    def total(self, n_features: int) -> FloatArray:
        """Sum of the features, each times the seconds it stands for, (n_features,)."""
        if self._sum is None:
            return np.zeros(n_features, np.float32)
        return (self._sum * self._step_s).astype(np.float32)

    def add(self, features: FloatArray, columns: int) -> None:
        """Take in the features of a step's window, (n_features,)."""
        if columns < LEAST_COLUMNS:
            return
        self._recent.append(features.astype(np.float64))
        if len(self._recent) > self._delay:
            self._count(self._recent.popleft())

    def snapshot(self) -> "SpeakerMean":
        """What counts now, for another network to be told."""
        kept = SpeakerMean(self._step_s)
        kept._sum, kept._steps = self._sum, self._steps
        return kept

    def pause(self) -> None:
        """Speech has ended: what was said counts from now on."""
        while self._recent:
            self._count(self._recent.popleft())

    def _count(self, features: FloatArray) -> None:
        self._sum = features if self._sum is None else self._sum + features
        self._steps += 1
