"""Pictures: gains by pair with their intervals, and UAR from round to round."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from training.engine.plotting import panels, save
from training.engine.result_store import Result
from training.evaluation.adaptation.summary import METHODS
from training.evaluation.bootstrap import Counts
from training.protocols.names import place_name

STYLES = {
    "adapt": ("o", "#1f77b4"),
    "caam": ("s", "#2a8f4f"),
    "adabn": ("^", "#e07b00"),
}
STEP = 0.2


def draw_gains(summary: Result, path: Path) -> Path:
    """A dot and its 95 % interval for each pair and method, and their means."""
    rows = [(place_name(p), found) for p, found in summary["pairs"].items()]
    rows.append(("mean", summary))
    figure, ((axes,),) = panels(1, 1, 5.5, 1.2 + 0.45 * len(rows))
    for i, (method, label) in enumerate(METHODS.items()):
        marker, colour = STYLES[method]
        for y, (_, found) in enumerate(rows):
            if method not in found:
                continue
            height = y + (i - 1) * STEP
            if bounds := found[method]["gain_interval"]:
                axes.plot(bounds, [height] * 2, color=colour, lw=1.5)
            axes.plot(
                found[method]["gain"], height, marker, c=colour, ms=5, label=label
            )
            label = "_nolegend_"
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("UAR gain on unseen speakers, points", fontsize=8)
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, fontsize=7, frameon=False)
    save(figure, path)
    return path


def draw_rounds(results: Sequence[Result], path: Path) -> list[Path]:
    """UAR of every version that was active, by target; nothing without any."""
    targets = sorted({result["protocol"]["target"] for result in results})
    if not any(result["versions"] for result in results):
        return []
    figure, (row,) = panels(1, len(targets), 3.6, 3.0)
    for axes, target in zip(row, targets, strict=True):
        for result in results:
            if result["protocol"]["target"] == target:
                _draw_result(axes, result)
        axes.set_title(f"adapted to {target}", fontsize=9)
        axes.set_xlabel("version (0: as it came)", fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=True, alpha=0.3)
    row[0].set_ylabel("UAR of other speakers, percent", fontsize=8)
    save(figure, path)
    return [path]


def _draw_result(axes: Axes, result: Result) -> None:
    target = result["target"]
    said = [
        target["predicted"]["before"],
        *(v["predicted"] for v in result["versions"]),
    ]
    values = [
        Counts.of(
            target["truth"], predicted, target["speaker"], len(result["labels"])
        ).value("UAR")
        for predicted in said
    ]
    axes.plot(np.arange(len(values)), values, "-o", ms=3, lw=1, alpha=0.7)
