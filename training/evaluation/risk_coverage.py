"""What abstaining buys: error among the steps that keep a label, by how many do.

Selective classification after El-Yaniv and Wiener (JMLR 11, 2010); the area under the
curve, AURC, after Geifman et al. (ICLR 2019).
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_COVERAGE = 0.85
"""Share of the steps that keeps a label, whatever the rest is worth. The
smoothing takes its part of the stream of emotions after it."""
RULE = (
    "the score under which a held-out step is more often wrong than right (isotonic "
    f"regression), but no higher than leaves {100 * LEAST_COVERAGE:.0f} % of steps "
    "their label"
)
"""How `uncertain` is chosen, for protocol and card."""
THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(20))

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Coverage and error among the kept, 0 to 1, both (n,), the surest steps first."""


def curve(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> Curve:
    """Risk and coverage as the threshold falls past each step, two (n,)."""
    order = np.argsort(-confidence, kind="stable")
    n = np.arange(1, len(order) + 1)
    return n / len(order), np.cumsum(~right[order]) / n


def risk_coverage(
    confidence: NDArray[np.floating], right: NDArray[np.bool_]
) -> dict[str, Any]:
    """AURC, 0 to 1, and the curve at thresholds 0.05 apart, in percent.

    Args:
        confidence: best score of each step, (n,), n >= 1.
        right: whether its label is the clip's, (n,).
    """
    points: list[dict[str, float]] = []
    for threshold in THRESHOLDS:
        kept = confidence >= threshold
        if not kept.any():
            break
        if kept.all():
            points.clear()
        points.append(
            {
                "threshold": threshold,
                "coverage": round(100 * float(kept.mean()), 1),
                "error": round(100 * float(np.mean(~right[kept])), 1),
            }
        )
    return {
        "AURC": round(float(curve(confidence, right)[1].mean()), 4),
        "points": points,
    }


def choose_uncertain(
    confidence: NDArray[np.floating],
    right: NDArray[np.bool_],
    least_coverage: float = LEAST_COVERAGE,
) -> float:
    """The threshold under which a step is `uncertain`: see `RULE`.

    Args:
        confidence: best score of each held-out step, (n,).
        right: whether its label is the clip's, (n,).
        least_coverage: share of the steps that must keep a label.

    Returns:
        A score from 0 to 1, rounded down to hundredths; 0 without steps.
    """
    if not len(confidence):
        return 0.0
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression().fit(confidence, right.astype(float))
    more_right = confidence[fitted.predict(confidence) >= 0.5]
    even = float(more_right.min()) if len(more_right) else 1.0
    n_kept = math.ceil(least_coverage * len(confidence) - 1e-9)
    covering = float(np.sort(confidence)[len(confidence) - n_kept])
    return math.floor(100 * min(even, covering) + 1e-6) / 100


def plot_risk_coverage(
    curves: Mapping[str, Curve], uncertain: float | None, coverage: float, image: Path
) -> None:
    """Draw curves by name, and where the threshold lies (coverage 0 to 1)."""
    from training.engine.plotting import panels, save

    figure, ((axes,),) = panels(1, 1, 5, 3.6)
    for name, (covered, risk) in curves.items():
        # The first steps alone make no rate.
        shown = np.arange(len(covered)) >= min(20, len(covered) - 1)
        axes.plot(100 * covered[shown], 100 * risk[shown], label=name)
    if uncertain is not None:
        axes.axvline(100 * coverage, color="gray", linestyle="--", linewidth=1)
        axes.annotate(
            f"uncertain < {uncertain:.2f}",
            (100 * coverage, 0.0),
            xytext=(-3, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color="gray",
        )
    axes.set(
        xlabel="coverage: steps with a label, percent",
        ylabel="error among them, percent",
        xlim=(0, 100),
        ylim=(0, None),
    )
    axes.legend(fontsize=8)
    save(figure, image)
