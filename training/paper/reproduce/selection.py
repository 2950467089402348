"""Which epoch is reported: `oracle`, `validated`, `last`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.paper.reproduce.scores import scores


class Selection:
    """Follows a run epoch by epoch; its state travels with the checkpoint.

    - `oracle`: the best epoch *on the test clips*, as the paper reports.
    - `validated`: the best epoch on clips held out of training. Of equals, the later:
      it was trained for longer.
    - `last`: no choice.
    """

    def __init__(
        self,
        truth: Mapping[str, Sequence[int]],
        labels: Sequence[str],
        criterion: str,
    ) -> None:
        """Choose between epochs by a criterion.

        Args:
            truth: classes of the clips of `test`, and of `validation` unless that is
                empty.
            labels: class names.
            criterion: `WAR` or `UAR`.
        """
        self._truth = truth
        self._labels = labels
        self._criterion = criterion

    def note(
        self, kept: dict[str, Any], epoch: int, predicted: Mapping[str, np.ndarray]
    ) -> None:
        """Take the predictions of an epoch into `kept`, which holds plain values.

        Args:
            kept: what the checkpoint keeps.
            epoch: from 1.
            predicted: classes of the clips of `test` and `validation`, as `truth`.
        """
        test = predicted["test"].tolist()
        best = kept.setdefault("best", {})
        row: dict[str, Any] = {"epoch": epoch}
        for part, name in (("test", "oracle"), ("validation", "validated")):
            if part in predicted:
                found = _figures(self._truth[part], predicted[part])
                row |= {f"{part}_{figure}": value for figure, value in found.items()}
                value = found[self._criterion]
                if name not in best or value >= best[name]["value"]:
                    best[name] = {"value": value, "epoch": epoch, "predicted": test}
        best["last"] = {"value": 0.0, "epoch": epoch, "predicted": test}
        kept.setdefault("curve", []).append(row)

    def results(self, kept: dict[str, Any]) -> dict[str, Any]:
        """For each selection made: its epoch and all figures on the test clips."""
        return {
            name: {
                "epoch": entry["epoch"],
                **scores(self._truth["test"], entry["predicted"], self._labels),
            }
            for name, entry in kept["best"].items()
        }


def _figures(truth: Sequence[int], predicted: np.ndarray) -> dict[str, float]:
    right = predicted == np.asarray(truth)
    recalls = [float(np.mean(right[np.equal(truth, c)])) for c in np.unique(truth)]
    return {
        "WAR": round(100 * float(np.mean(right)), 2),
        "UAR": round(100 * float(np.mean(recalls)), 2),
    }
