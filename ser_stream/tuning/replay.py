"""What the smoother would have said, with thousands of settings at once.

`Smoother` keeps the belief and the present emotion. Here the belief is an array over
the memories that settings have, and the emotion one over the settings: a step costs
some twenty operations of numpy however many settings there are. The decisions are the
smoother's own, to the last bit; a test compares the two.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.smoothing import (
    SmoothingConfig,
    elapsed_s,
    share_of_step,
    silent_to,
)
from ser_stream.pipeline.values import SAMPLE_RATE, Prediction

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
        self.lead = column("lead")
        self.heard = np.round(column("heard_s") * SAMPLE_RATE)
        keys = [(c.memory_s, c.max_pause_s) for c in configs]
        self.tracks = tuple(dict.fromkeys(keys))
        """Memory and longest pause that occur together, seconds."""
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
    n_labels = max(
        (len(p.scores) for p in predictions if p.scores is not None), default=0
    )
    if not n_labels:
        return result
    track = settings.track
    beliefs = _Beliefs(settings.tracks, n_labels)
    for i, prediction in enumerate(predictions):
        forgotten = beliefs.feed(prediction)
        active = np.where(forgotten[track], np.int8(NONE), active)
        if prediction.scores is None:
            result[i] = active
            continue
        sums, belief = beliefs.sums, beliefs.sums / beliefs.weights
        best = sums.argmax(axis=1)[track]
        agrees = best == int(prediction.scores.argmax())
        agrees &= float(prediction.scores.max()) >= settings.uncertain
        if prediction.columns < prediction.max_columns:
            agrees &= prediction.end - prediction.start >= settings.heard
        agrees &= belief[track, best] >= settings.enter
        told = active != NONE
        ahead = sums[track, best] - sums[track, active] >= settings.lead
        changes = agrees & (best != active) & (ahead | ~told)
        ends = told & ~changes & (belief[track, active] < settings.exit)
        active = np.where(changes, best, np.where(ends, NONE, active)).astype(np.int8)
        result[i] = active
    return result


class _Beliefs:
    """The beliefs of one stream, one for each track; see `Smoother`."""

    def __init__(self, tracks: Sequence[tuple[float, float]], n_labels: int) -> None:
        self._memories = [memory for memory, _ in tracks]
        self._pauses = np.array([pause for _, pause in tracks]) * SAMPLE_RATE
        self._shares: dict[float, NDArray[np.float64]] = {}
        self._last: int | None = None
        self._last_speech = 0
        self.sums = np.zeros((len(tracks), n_labels))
        """(n_tracks, n_labels)."""
        self.weights = np.zeros((len(tracks), 1))

    def feed(self, prediction: Prediction) -> NDArray[np.bool_]:
        """Take a step; return which tracks forget at it, (n_tracks,)."""
        last, self._last = self._last, prediction.end
        forgotten = silent_to(prediction) - self._last_speech > self._pauses
        self.sums[forgotten] = 0.0
        self.weights[forgotten] = 0.0
        if prediction.scores is None:
            return forgotten
        self._last_speech = prediction.end
        share = self._share(elapsed_s(last, prediction))
        self.sums += share * (prediction.scores - self.sums)
        self.weights += share * (1.0 - self.weights)
        return forgotten

    def _share(self, elapsed_s: float) -> NDArray[np.float64]:
        if elapsed_s not in self._shares:
            shares = [share_of_step(memory, elapsed_s) for memory in self._memories]
            self._shares[elapsed_s] = np.array(shares)[:, None]
        return self._shares[elapsed_s]
