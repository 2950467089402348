"""Test scores epoch by epoch, which oracle, last and validated choose from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from training.engine.plotting import SELECTION_COLOURS, panels, save
from training.paper.reproduce.constants import READINGS
from training.protocols.names import CORPORA, place_name
from training.report.cells import Cells
from training.report.load import Run
from training.report.wording import system_name

_PAIRS = ("casia-emodb", "emodb-casia")
_N_COLUMNS = 3
Wanted = tuple[str, str, str, str, str]
"""Protocol, system, place, part and metric of a panel."""


def draw_curves(cells: Cells, path: Path) -> str | None:
    """A panel for each corpus and reading of CPAC, and for CAAM; None: not run."""
    wanted: list[Wanted] = [
        ("paper-10fold", system, place, "", "WAR")
        for place in CORPORA
        for system in READINGS
    ]
    wanted += [("cross", "caam", place, "transductive", "UAR") for place in _PAIRS]
    found = [w for w in wanted if mean_curve(cells.select(*w[:4]), w[4])[0]]
    if not found:
        return None
    n_columns = min(_N_COLUMNS, len(found))
    figure, axes = panels(-(-len(found) // n_columns), n_columns, 3.4)
    flat = [axis for row in axes for axis in row]
    for axis in flat[len(found) :]:
        axis.set_axis_off()
    for axis, one in zip(flat, found, strict=False):
        _draw(axis, cells, one)
    save(figure, path)
    return (
        "Grey: test score after each epoch, mean over the folds and seeds run. "
        "`oracle` lies above the curve since each fold chooses its own best epoch by "
        "the test fold. On single corpora `validated` comes from a training of its "
        "own, on fewer clips."
    )


def mean_curve(runs: Sequence[Run], metric: str) -> tuple[list[int], list[float], int]:
    """Epochs that all curves have, mean test score there, how many curves."""
    curves = [
        {int(row["epoch"]): row[key] for row in run.curve if key in row}
        for key in [f"test_{metric}"]
        for run in runs
        # Not of a fold of which only the second training is done.
        if "last" in run.selections or "oracle" in run.selections
    ]
    curves = [curve for curve in curves if curve]
    epochs = sorted(set.intersection(*map(set, curves))) if curves else []
    means = [float(np.mean([curve[e] for curve in curves])) for e in epochs]
    return epochs, means, len(curves)


def _draw(axis: Axes, cells: Cells, one: Wanted) -> None:
    protocol, system, place, part, metric = one
    runs = cells.select(protocol, system, place, part)
    epochs, values, n_runs = mean_curve(runs, metric)
    axis.plot(epochs, values, color="#444444", lw=1)
    for selection, cell in cells.by_selection(protocol, system, place, part).items():
        if cell is not None:
            mean, ink = cell.mean(metric), SELECTION_COLOURS[selection]
            label = f"{selection} {mean:.1f}"
            axis.axhline(mean, color=ink, lw=1.2, ls="--", label=label)
    title = f"{place_name(place)}: {system_name(system)}"
    axis.set_title(f"{title} ({n_runs} run{'s' if n_runs > 1 else ''})", fontsize=8)
    axis.set_xlabel("epoch", fontsize=8)
    axis.set_ylabel(f"test {metric}, percent", fontsize=8)
    axis.legend(fontsize=7, loc="lower right")
    axis.grid(alpha=0.3)
