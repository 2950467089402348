"""What is known of the present speaker: what the features are like on average.

A voice that is always tense sounds angry to a network that never heard it. So a network
may be trained to be told how the features of a window differ from their mean over the
speech of the speaker: here, of the stream. The mean is shrunk towards that of unknown
voices, which the graph holds: at first it is nothing else, after 12.5 s half
of it is the speaker's own.

Where somebody enrolled, the stream begins with that; and what examples have taught goes
on top of the network's last layer (`ser_stream.pipeline.last_layer`).
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from ser_stream.pipeline.values import FloatArray

LEAST_COLUMNS = 10
"""Features of shorter windows say little of a voice, and do not count."""
DELAY_S = 3.0
"""What was said so lately does not count yet: it is what is to be told apart."""
MOST_HEARD_S = 600.0
"""Of speech that was heard live; beyond it the oldest fades, so that a daemon that runs
for months follows whoever speaks now, and still minds who enrolled."""
REMEMBERED_S = 30.0
"""Of the newest speech the features stay, for somebody to say what that was."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownVoice:
    """What was known of the voices before the stream began."""

    heard: FloatArray
    """Sum of the features, each times the seconds it stands for, (n_features,)."""
    heard_s: float
    """How many seconds that was."""
    taught: FloatArray | None = None
    """What examples add to the weights of the last layer, (n_classes, n_features)."""


class Speaker:
    """Sum of features over speech, and how much speech that was; slow and causal."""

    def __init__(self, step_s: float, known: KnownVoice | None = None) -> None:
        """Begin with what is known before; a step adds so many seconds."""
        self._step_s = step_s
        self.known = known
        self.familiarity: float | None = None
        """How near the newest window is to what the network knows, 0 to 1; None where
        nobody can tell, as of a short one."""
        self._recent: deque[FloatArray] = deque()
        self._delay = round(DELAY_S / step_s)
        self._newest: deque[FloatArray] = deque(maxlen=round(REMEMBERED_S / step_s))
        self._most = round(MOST_HEARD_S / step_s)
        self._sum: FloatArray | None = None
        self._steps = 0

    @property
    def seconds(self) -> float:
        """How much speech counts by now."""
        before = 0.0 if self.known is None else self.known.heard_s
        return before + self._steps * self._step_s

    @property
    def taught(self) -> FloatArray | None:
        """What is added to the weights of the last layer, if anything."""
        return None if self.known is None else self.known.taught

    def total(self, n_features: int) -> FloatArray:
        """Sum of the features, each times the seconds it stands for, (n_features,)."""
        total: FloatArray = np.zeros(n_features, np.float32)
        if self._sum is not None:
            total = (self._sum * self._step_s).astype(np.float32)
        if self.known is not None:
            total = np.asarray(total + self.known.heard, np.float32)
        return total

    def add(
        self,
        features: FloatArray,
        columns: int,
        of_emotion: FloatArray | None = None,
    ) -> None:
        """Take in the features of a step's window.

        Args:
            features: (n_features,).
            columns: of the window.
            of_emotion: what of them is for the emotion, and does not count.
        """
        self.familiarity = None
        if columns < LEAST_COLUMNS:
            return
        self._newest.append(features.copy())
        if of_emotion is not None:
            features = features - of_emotion
        self._recent.append(features.astype(np.float64))
        if len(self._recent) > self._delay:
            self._count(self._recent.popleft())

    def newest(self, seconds: float) -> tuple[FloatArray, float] | None:
        """Mean features of the last `seconds` of speech, (n_features,), and how many.

        At most 30 s; None if nothing long enough was said.
        """
        steps = list(self._newest)[-max(1, round(seconds / self._step_s)) :]
        if not steps:
            return None
        return np.array(steps).mean(axis=0), len(steps) * self._step_s

    def snapshot(self) -> "Speaker":
        """What counts now, for another network to be told."""
        kept = Speaker(self._step_s, self.known)
        kept._sum, kept._steps = self._sum, self._steps
        return kept

    def pause(self) -> None:
        """Speech has ended: what was said counts from now on."""
        while self._recent:
            self._count(self._recent.popleft())

    def _count(self, features: FloatArray) -> None:
        if self._sum is None:
            self._sum = features
        elif self._steps < self._most:
            self._sum = self._sum + features
        else:
            self._sum = self._sum * (1 - 1 / self._most) + features
        self._steps = min(self._steps + 1, self._most)
