"""The features of every training clip as last seen: speakers' means to train with.

A daemon knows a speaker by what it heard before. So each window of training is given
the mean over some other clips of its speaker, from none to many, balanced or mostly of
one class; their features are those of their last turn, as in a memory bank (Wu et al.,
CVPR 2018), since to compute them anew would cost a batch for every clip.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ser_stream.nn.cpac import shrunk
from ser_stream.pipeline.last_layer import SHRINK_S

CLIP_S = 2.5
"""What a clip counts as, seconds of speech."""
SHRINK_CLIPS = SHRINK_S / CLIP_S
"""Clips that the training mean counts as."""
MOSTLY = 0.8
"""Share of one class in what is mostly of it."""


class SpeakerMemory(nn.Module):
    """Features by clip, and means of other clips of a clip's speaker."""

    features: Tensor
    known: Tensor

    MOST_CLIPS = 20
    NONE = 0.25
    """Share of windows whose speaker was not heard yet."""
    ONE_SIDED = 0.5
    """Share of the others of whom `MOSTLY` one class was heard."""

    def __init__(
        self, speakers: Sequence[Sequence[int]], targets: np.ndarray, n_features: int
    ) -> None:
        """Begin empty.

        Args:
            speakers: for each clip, the clips of its speaker, itself among them.
            targets: class indices, (n,).
            n_features: of the network's head.
        """
        super().__init__()
        self._speakers = [np.array(rows, np.intp) for rows in speakers]
        self._targets = targets
        self.register_buffer("features", torch.zeros(len(targets), n_features))
        self.register_buffer("known", torch.zeros(len(targets), dtype=torch.bool))

    def store(self, rows: np.ndarray, features: Tensor) -> None:
        """Keep the features of clips, (B, n_features)."""
        self.features[rows] = features.detach().float()
        self.known[rows] = True

    def means(
        self, rows: np.ndarray, centre: Tensor, rng: np.random.Generator
    ) -> Tensor:
        """A speaker's mean for each clip, (B, n_features), shrunk towards `centre`."""
        known = self.known.cpu().numpy()
        heard = [self.features[self._draw(int(row), known, rng)] for row in rows]
        sums = torch.stack([CLIP_S * clips.sum(0) for clips in heard])
        seconds = sums.new_tensor([[CLIP_S * len(clips)] for clips in heard])
        return shrunk(sums, seconds, centre)

    def _draw(
        self, row: int, known: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        others: np.ndarray = self._speakers[row]
        others = others[known[others] & (others != row)]
        if rng.random() < self.NONE or not len(others):
            return others[:0]
        n = int(rng.integers(1, self.MOST_CLIPS + 1))
        if rng.random() >= self.ONE_SIDED:
            return np.array(rng.choice(others, min(n, len(others)), replace=False))
        mostly = rng.choice(np.unique(self._targets[others]))
        return draw_mostly(others, self._targets[others] == mostly, n, rng)


def draw_mostly(
    clips: np.ndarray, of_class: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw n of the clips, `MOSTLY` of them of a class, or fewer if there are fewer.

    Args:
        clips: their numbers, (m,).
        of_class: whether each is of the class, (m,).
        n: how many.
        rng: what decides.
    """
    n_class = round(MOSTLY * n)
    return np.concatenate(
        [
            rng.choice(group, min(wanted, len(group)), replace=False)
            for group, wanted in (
                (clips[of_class], n_class),
                (clips[~of_class], n - n_class),
            )
        ]
    )
