"""What the smoother would have said, with thousands of settings at once.

`Smoother` keeps four things: the averaged scores, the candidate, since when it leads,
and the present emotion. Here each of them is an array over the settings, so that a step
costs some twenty operations of numpy however many settings there are. The decisions are
the smoother's own, to the last bit; a test compares the two.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ser_stream.smoothing import SmoothingConfig
from ser_stream.values import SAMPLE_RATE, FloatArray, Prediction

NONE = -1
"""Stands for no emotion, where a label's index would be."""


class Settings:
    """Many settings as arrays, each of shape (n_settings,)."""

    def __init__(self, configs: Sequence[SmoothingConfig]) -> None:
        def column(name: str) -> NDArray[np.float64]:
            return np.array([getattr(config, name) for config in configs], np.float64)

        self.configs = tuple(configs)
        self.uncertain = column("uncertain")
        self.enter = column("enter")
        self.exit = column("exit")
        self.dwell = column("dwell_s") * SAMPLE_RATE
        self.time_constants, self.track = np.unique(
            column("time_constant_s"), return_inverse=True
        )

    def __len__(self) -> int:
        return len(self.configs)


def replay(predictions: Sequence[Prediction], settings: Settings) -> NDArray[np.int8]:
    """The emotion that is active after each step.

    The label of a step is not looked at: whether it was `uncertain` depends on the
    settings, and is decided anew from its scores.

    Returns:
        Index of the active label or -1, shape (n_steps, n_settings).
    """
    result = np.full((len(predictions), len(settings)), NONE, np.int8)
    active = np.full(len(settings), NONE, np.int8)
    candidate, since = active.copy(), np.zeros(len(settings), np.int64)
    averages = _Averages(settings.time_constants)
    for i, prediction in enumerate(predictions):
        if prediction.scores is None or _restarted(predictions, i):
            # As `Smoother.flush`: silence, or silence and speech within one step.
            active.fill(NONE)
            candidate.fill(NONE)
            averages.clear()
        if prediction.scores is None:
            continue
        scores = averages.feed(prediction.scores, prediction.end)
        best = scores.argmax(axis=1).astype(np.int8)[settings.track]
        certain = scores.max(axis=1)[settings.track] >= settings.enter
        certain &= float(prediction.scores.max()) >= settings.uncertain
        since[candidate != best] = prediction.end
        candidate = np.where(certain, best, np.int8(NONE))
        ready = certain & (prediction.end - since >= settings.dwell)
        goes_on = (active != NONE) & (scores[settings.track, active] >= settings.exit)
        goes_on &= ~(ready & (best != active))
        active = np.where(goes_on, active, np.where(ready, best, np.int8(NONE)))
        result[i] = active
    return result


def _restarted(predictions: Sequence[Prediction], i: int) -> bool:
    # A window only grows until it is full: where it shrank, it was cleared in between.
    return i > 0 and predictions[i].columns < predictions[i - 1].columns


class _Averages:
    """The exponential averages of one stream, one for each time constant."""

    def __init__(self, time_constants: NDArray[np.float64]) -> None:
        self._time_constants = time_constants
        self._keep: dict[int, FloatArray] = {}
        self.clear()

    def clear(self) -> None:
        self._scores: FloatArray | None = None
        self._end = 0

    def feed(self, scores: FloatArray, end: int) -> FloatArray:
        """Scores of a step, (n_labels,) -> averages, (n_time_constants, n_labels)."""
        if self._scores is None:
            self._scores = np.repeat(scores[None], len(self._time_constants), axis=0)
        else:
            keep = self._kept(end - self._end)
            self._scores = keep * self._scores + (1 - keep) * scores
        self._end = end
        return self._scores

    def _kept(self, elapsed: int) -> FloatArray:
        if elapsed not in self._keep:
            # One by one, as the smoother does: over an array, numpy's exp may round
            # the last bit another way.
            self._keep[elapsed] = np.array(
                [
                    np.exp(-(elapsed / SAMPLE_RATE) / constant) if constant else 0.0
                    for constant in self._time_constants.tolist()
                ],
                np.float32,
            )[:, None]
        return self._keep[elapsed]
