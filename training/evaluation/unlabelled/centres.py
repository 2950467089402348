"""MDD on features less the means of their speakers, as a network hears them live."""

import numpy as np
import torch
from torch import Tensor

from ser_stream.adaptation.child.mdd_round import Domain
from ser_stream.adaptation.child.windows import LabelledWindows
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.last_layer import SHARE
from ser_stream.pipeline.values import FloatArray

FOLLOW = 25
"""Steps after which the means are measured anew, for the head learns."""
SOURCE_S, TARGET_S = 2.5, 1.0
"""Seconds of speech that a window stands for: one of a clip, one of each second."""


class Centres:
    """A mean for each speaker of the source, one for the room that is the target."""

    def __init__(self, source: LabelledWindows, emotions: FloatArray | None) -> None:
        """Begin.

        Args:
            source: labelled windows of the pack.
            emotions: how features of each class lie about their speaker, (n_classes,
                n_features), half of which the means leave out; None: nothing.
        """
        self._speakers, self._labels = source.speaker, source.label
        self._emotions = None
        if emotions is not None:
            self._emotions = SHARE * torch.from_numpy(emotions)
        self._of_source = self._of_target = torch.zeros(0)

    def __call__(
        self, model: Cpac, here: Domain, there: Domain, step: int, rows: np.ndarray
    ) -> Tensor:
        """See `Centring`."""
        if not step % FOLLOW:
            self._follow(model, here, there)
        target = self._of_target.expand(len(rows), -1)
        return torch.cat([self._of_source[torch.from_numpy(rows)], target])

    @torch.no_grad()
    def _follow(self, model: Cpac, here: Domain, there: Domain) -> None:
        was = model.head.training
        model.head.eval()
        source, target = _features(model, here), _features(model, there)
        scores = torch.softmax(model.head.classify(target), 1)
        model.head.train(was)
        if self._emotions is not None:
            source = source - self._emotions[torch.from_numpy(self._labels)]
            target = target - scores @ self._emotions
        self._of_source = torch.zeros_like(source)
        for speaker in np.unique(self._speakers):
            rows = torch.from_numpy(np.flatnonzero(self._speakers == speaker))
            self._of_source[rows] = _mean(model, source[rows], SOURCE_S)
        self._of_target = _mean(model, target, TARGET_S)


def _features(model: Cpac, domain: Domain) -> Tensor:
    """Of every window, whole: (N, n_features)."""
    windows = [domain.encoded(i) for i in range(len(domain))]
    return torch.cat([model.head.features(columns) for columns in windows])


def _mean(model: Cpac, features: Tensor, seconds: float) -> Tensor:
    heard_s = torch.tensor([[seconds * len(features)]])
    total = seconds * features.sum(0, keepdim=True)
    return model.head.mean_of(total, heard_s)
