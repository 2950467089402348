"""What the smoother would have said, with thousands of settings at once.

`Smoother` keeps four things: the belief, the candidate, since when it leads, and the
present emotion. Here the belief is an array over the tracks, which are what settings
with the same evidence and changes share, and the rest are arrays over the settings: a
step costs some twenty operations of numpy however many settings there are. The
decisions are the smoother's own, to the last bit; a test compares the two.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.smoothing import LEAST_BELIEF, LEAST_SCORE, SmoothingConfig
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray, Prediction

NONE = -1
"""Stands for no emotion, where a label's index would be."""


class SettingsGrid:
    """Many settings as arrays, each of shape (n_settings,)."""

    def __init__(self, configs: Sequence[SmoothingConfig]) -> None:
        def column(name: str) -> NDArray[np.float64]:
            return np.array([getattr(config, name) for config in configs], np.float64)

        self.configs = tuple(configs)
        self.uncertain = column("uncertain")
        self.enter = column("enter")
        self.exit = column("exit")
        self.dwell = column("dwell_s") * SAMPLE_RATE
        keys = [
            (c.evidence_per_s, c.change_per_s, c.change_per_s_silent) for c in configs
        ]
        self.tracks = tuple(dict.fromkeys(keys))
        """Evidence, change and change in silence that occur together, each a second."""
        numbers = {key: i for i, key in enumerate(self.tracks)}
        self.track = np.array([numbers[key] for key in keys], np.intp)
        """Index into `tracks`, shape (n_settings,)."""

    def __len__(self) -> int:
        return len(self.configs)


def replay(
    predictions: Sequence[Prediction], settings: SettingsGrid
) -> NDArray[np.int8]:
    """The emotion that is active after each step.

    The label of a step is not looked at: whether it was `uncertain` depends on the
    settings, and is decided anew from its scores.

    Returns:
        Index of the active label or -1, shape (n_steps, n_settings).
    """
    result = np.full((len(predictions), len(settings)), NONE, np.int8)
    active = np.full(len(settings), NONE, np.int8)
    candidate, since = active.copy(), np.zeros(len(settings), np.int64)
    n_labels = max(
        (len(p.scores) for p in predictions if p.scores is not None), default=0
    )
    if not n_labels:
        return result
    beliefs = _Beliefs(settings.tracks, n_labels)
    for i, prediction in enumerate(predictions):
        belief = beliefs.feed(prediction)
        if prediction.scores is None or _restarted(predictions, i):
            # As `Smoother.pause`: silence, or silence and speech within one step.
            active.fill(NONE)
            candidate.fill(NONE)
        if prediction.scores is None:
            continue
        best = belief.argmax(axis=1).astype(np.int8)[settings.track]
        certain = belief.max(axis=1)[settings.track] >= settings.enter
        certain &= float(prediction.scores.max()) >= settings.uncertain
        since[candidate != best] = prediction.end
        candidate = np.where(certain, best, np.int8(NONE))
        ready = certain & (prediction.end - since >= settings.dwell)
        goes_on = (active != NONE) & (belief[settings.track, active] >= settings.exit)
        goes_on &= ~(ready & (best != active))
        active = np.where(goes_on, active, np.where(ready, best, np.int8(NONE)))
        result[i] = active
    return result


def _restarted(predictions: Sequence[Prediction], i: int) -> bool:
    # A window only grows until it is full: where it shrank, it was cleared in between.
    return i > 0 and predictions[i].columns < predictions[i - 1].columns


class _Beliefs:
    """The beliefs of one stream, one for each track; see `Smoother`.

    Powers and exponentials are taken value by value, as the smoother does: over an
    array, numpy may round the last bit another way.
    """

    def __init__(
        self, tracks: Sequence[tuple[float, float, float]], n_labels: int
    ) -> None:
        evidence = [track[0] for track in tracks]
        self._evidence = list(dict.fromkeys(evidence))
        self._of_evidence = [self._evidence.index(value) for value in evidence]
        self._in_speech = [track[1] for track in tracks]
        self._in_silence = [track[2] for track in tracks]
        self._kept: dict[tuple[bool, float], FloatArray] = {}
        self._end: int | None = None
        self._n_labels = np.float32(n_labels)
        self._belief = np.full((len(tracks), n_labels), 1 / n_labels, np.float32)

    def feed(self, prediction: Prediction) -> FloatArray:
        """A step -> what is believed after it, shape (n_tracks, n_labels)."""
        last, self._end = self._end, prediction.end
        elapsed = 0.2 if last is None else (prediction.end - last) / SAMPLE_RATE
        scores = prediction.scores
        keep = self._keep(scores is None, elapsed)
        belief = keep * self._belief + (1 - keep) / self._n_labels
        if scores is not None:
            size = math.sqrt(min(1.0, prediction.columns / prediction.max_columns))
            scores = np.maximum(scores, np.float32(LEAST_SCORE))
            likelihood = [
                scores ** np.float32(evidence * elapsed * size)
                for evidence in self._evidence
            ]
            belief = belief * np.array(likelihood)[self._of_evidence]
            belief = belief / belief.sum(axis=1, keepdims=True)
            belief = np.maximum(belief, np.float32(LEAST_BELIEF))
        self._belief = belief
        return belief

    def _keep(self, silent: bool, elapsed: float) -> FloatArray:
        if (silent, elapsed) not in self._kept:
            rates = self._in_silence if silent else self._in_speech
            keep = [math.exp(-rate * elapsed) for rate in rates]
            self._kept[silent, elapsed] = np.array(keep, np.float32)[:, None]
        return self._kept[silent, elapsed]
