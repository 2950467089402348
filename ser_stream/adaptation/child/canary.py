"""Labelled speech of people whom no round learns from: harm shows there first."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ser_stream.adaptation.child.evidence import (
    Heard,
    canary_evidence,
    hear,
    unweighted_recall,
)
from ser_stream.adaptation.child.windows import read_windows
from ser_stream.bundle import Bundle
from ser_stream.mfcc import FRAMES_PER_BLOCK
from ser_stream.nn.cpac import Cpac
from ser_stream.recognizer import OnnxRecognizer
from ser_stream.values import FloatArray
from ser_stream.window import EXTRA_FRAMES


class Canary:
    """The canary windows of a pack."""

    def __init__(self, path: Path, temperatures: tuple[float, ...]) -> None:
        """Read them.

        Args:
            path: of the windows.
            temperatures: of the bundle, for windows of 1, 2, ... columns.

        Raises:
            ModelError: if they cannot be read.
        """
        self._labelled = read_windows(path)
        self._temperatures = temperatures
        self.windows = [self._labelled.window(i) for i in range(len(self._labelled))]

    def recall(self, network: Cpac) -> float:
        """Unweighted average recall of a network that has no graphs yet, 0 to 1."""
        return unweighted_recall(self._scores(network), self._labelled)

    def heard_by(self, bundle: Bundle) -> Heard:
        """What the graphs of a bundle make of them."""
        return hear(OnnxRecognizer(bundle), self.windows)

    def evidence(self, base: Cpac, before: Heard, after: Heard) -> dict[str, Any]:
        """See `canary_evidence`; and `canary_uar_base`, before any adaptation."""
        return {
            **canary_evidence(before.scores, after.scores, self._labelled),
            "canary_uar_base": self.recall(base),
        }

    @torch.no_grad()
    def _scores(self, network: Cpac) -> FloatArray:
        network.eval()
        scores = []
        for window in self.windows:
            n = (len(window) - EXTRA_FRAMES) // FRAMES_PER_BLOCK
            temperature = self._temperatures[min(n, len(self._temperatures)) - 1]
            logits = network(torch.from_numpy(window)[None])[0]
            scores.append(torch.softmax(logits / temperature, 0).numpy())
        return np.array(scores)
