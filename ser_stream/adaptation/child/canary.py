"""Labelled speech of speakers that no round learns from: harm shows there first."""

from typing import Any

from ser_stream.adaptation.child.evidence import (
    WindowScores,
    canary_evidence,
    network_scores,
    score_windows,
    unweighted_recall,
)
from ser_stream.adaptation.child.windows import LabelledWindows
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import FloatArray


class Canary:
    """The canary windows of a pack, scored by the `base` before any adaptation too."""

    def __init__(
        self, labelled: LabelledWindows, temperatures: tuple[float, ...], base: Cpac
    ) -> None:
        self._labelled = labelled
        self._temperatures = temperatures
        self.windows = labelled.all_frames()
        self._base = self._scores(base)
        self.base_recall = unweighted_recall(self._base, labelled)

    def recall(self, network: Cpac) -> float:
        """Unweighted average recall of a network that has no graphs yet, 0 to 1."""
        return unweighted_recall(self._scores(network), self._labelled)

    def scores_of(self, bundle: Bundle) -> WindowScores:
        """Their scores by the graphs of a bundle."""
        return score_windows(OnnxRecognizer(bundle), self.windows)

    def evidence(self, before: WindowScores, after: WindowScores) -> dict[str, Any]:
        return canary_evidence(self._base, before.scores, after.scores, self._labelled)

    def _scores(self, network: Cpac) -> FloatArray:
        return network_scores(network, self.windows, self._temperatures)
