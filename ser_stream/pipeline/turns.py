"""The turns of a recording: what the network's features are like in each."""

from dataclasses import dataclass

import numpy as np

from ser_stream.pipeline.speaker import LEAST_COLUMNS, Speaker
from ser_stream.pipeline.values import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """Speech between two pauses."""

    features: FloatArray
    """Mean over the windows that are long enough, or the longest, (n_features,)."""
    seconds: float


class TurnRecorder(Speaker):
    """A speaker who also remembers every turn; `pause` ends the last one."""

    def __init__(self, step_s: float) -> None:
        """Begin with nobody; a step adds so many seconds."""
        super().__init__(step_s)
        self.turns: list[Turn] = []
        self._steps_of_turn: list[tuple[FloatArray, int]] = []

    def add(
        self,
        features: FloatArray,
        columns: int,
        of_emotion: FloatArray | None = None,
    ) -> None:
        """See `Speaker`."""
        super().add(features, columns, of_emotion)
        self._steps_of_turn.append((features.copy(), columns))

    def pause(self) -> None:
        """Speech has ended."""
        super().pause()
        if not self._steps_of_turn:
            return
        least = min(LEAST_COLUMNS, max(n for _, n in self._steps_of_turn))
        heard = [features for features, n in self._steps_of_turn if n >= least]
        seconds = len(self._steps_of_turn) * self._step_s
        self.turns.append(Turn(np.mean(heard, axis=0), seconds))
        self._steps_of_turn.clear()

    @property
    def speech_s(self) -> float:
        """Seconds of speech in all turns, and in the one that goes on."""
        return sum(turn.seconds for turn in self.turns) + (
            len(self._steps_of_turn) * self._step_s
        )
