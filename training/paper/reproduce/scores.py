"""How a fold did, and with which packages: figures of every file of results."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import audmetric
import numpy as np

PACKAGES = ("torch", "numpy", "scikit-learn", "audmetric", "opensmile", "soxr")


def scores(
    truth: Sequence[int], predicted: Sequence[int], labels: Sequence[str]
) -> dict[str, Any]:
    """WAR, UAR and macro F1 by audmetric, recalls, and the confusion matrix.

    WAR is accuracy; UAR and macro F1 are means over the classes that occur in `truth`,
    for a fold may lack one. Percent.
    The matrix has the truth in its rows.
    """
    present = sorted(set(truth))
    everything = list(range(len(labels)))
    matrix = audmetric.confusion_matrix(truth, predicted, everything)
    recall = audmetric.recall_per_class(truth, predicted, everything, zero_division=0)
    f1 = audmetric.fscore_per_class(truth, predicted, everything, zero_division=0)
    return {
        "WAR": _percent(audmetric.accuracy(truth, predicted)),
        "UAR": _percent(np.mean([recall[c] for c in present])),
        "macro_F1": _percent(np.mean([f1[c] for c in present])),
        "recall": {
            labels[c]: _percent(recall[c]) if c in present else None for c in everything
        },
        "confusion_matrix": [[int(x) for x in row] for row in matrix],
        "predicted": [int(p) for p in predicted],
    }


def _percent(share: float) -> float:
    return round(100 * float(share), 2)


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
