"""Which epoch is reported: `oracle`, `validated`, `last`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.paper.reproduce.scores import scores


@dataclass(frozen=True, slots=True)
class Scored:
    """Clips whose labels decide between epochs."""

    truth: Sequence[int]
    labels: Sequence[str]
    criterion: str
    """`WAR` or `UAR`: by which an epoch is chosen."""


class Selection:
    """Follows a run epoch by epoch; its state travels with the checkpoint.

    - `oracle`: the best epoch *on the test clips*, as the paper reports.
    - `validated`: the best epoch on clips held out of training. Of equals, the later:
      it was trained for longer.
    - `last`: no choice.
    """

    def __init__(self, test: Scored, validation: Scored | None) -> None:
        self._test = test
        self._validation = validation

    def note(
        self,
        kept: dict[str, Any],
        epoch: int,
        test: Sequence[int],
        validation: Sequence[int] | None,
    ) -> None:
        """Take the predictions of an epoch into `kept`, which holds plain values.

        Args:
            kept: what the checkpoint keeps.
            epoch: from 1.
            test: predictions for the test clips.
            validation: predictions for the clips held out of training, if any.
        """
        result = self._figures(self._test, test)
        row = {"epoch": epoch, "test_WAR": result["WAR"], "test_UAR": result["UAR"]}
        criterion = self._test.criterion
        best = kept.setdefault("best", {})
        self._offer(best, "oracle", result[criterion], epoch, test)
        if self._validation is not None and validation is not None:
            held = self._figures(self._validation, validation)
            row["validation_WAR"], row["validation_UAR"] = held["WAR"], held["UAR"]
            value = held[self._validation.criterion]
            self._offer(best, "validated", value, epoch, test)
        best["last"] = _entry(0.0, epoch, test)
        kept.setdefault("curve", []).append(row)

    def _offer(
        self,
        best: dict[str, Any],
        name: str,
        value: float,
        epoch: int,
        test: Sequence[int],
    ) -> None:
        if name not in best or value >= best[name]["value"]:
            best[name] = _entry(value, epoch, test)

    def _figures(self, scored: Scored, predicted: Sequence[int]) -> dict[str, Any]:
        truth, said = np.asarray(scored.truth), np.asarray(predicted)
        recalls = [float(np.mean(said[truth == c] == c)) for c in np.unique(truth)]
        return {
            "WAR": round(100 * float(np.mean(said == truth)), 2),
            "UAR": round(100 * float(np.mean(recalls)), 2),
        }

    def results(self, kept: dict[str, Any]) -> dict[str, Any]:
        """For each selection made: its epoch and all figures on the test clips."""
        return {
            name: {
                "epoch": entry["epoch"],
                **scores(self._test.truth, entry["predicted"], self._test.labels),
            }
            for name, entry in kept["best"].items()
        }


def _entry(value: float, epoch: int, test: Sequence[int]) -> dict[str, Any]:
    return {"value": value, "epoch": epoch, "predicted": [int(p) for p in test]}
