"""Scores as pictures: ours beside the paper's, epoch by epoch, by class.

Each function gives the caption; None where nothing was run that it would show.
"""

from collections.abc import Sequence
from pathlib import Path

import audmetric
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from training.engine.plotting import SELECTION_COLOURS, empty, panels, save
from training.paper.reproduce.constants import READINGS
from training.protocols.names import CORPORA, place_name
from training.report.cells import Cell, Cells
from training.report.load import Run
from training.report.published import RERUN, Published
from training.report.tables import planned
from training.report.wording import NOT_PLANNED, NOT_RUN, system_name

Line = tuple[str, float | None, float | None, dict[str, Cell | None]]
"""Dots at one height: a name, the paper's, the re-run's, ours by selection."""
_STEP = 0.15


def draw_intervals(cells: Cells, published: Published, path: Path) -> str | None:
    """WAR per corpus by CPAC and UAR per pair by CAAM: a dot and an interval each."""
    cpac: list[Line] = [
        (
            f"{name}\n{system_name(system).removeprefix('CPAC, ')}",
            published.value("1", "CPAC", place, "WAR"),
            published.value(RERUN, "CPAC", place, "WAR"),
            cells.by_selection("paper-10fold", system, place),
        )
        for place, name in CORPORA.items()
        for system in READINGS
    ]
    caam: list[Line] = [
        (
            place_name(place),
            published.value(table, "CAAM", place, "UAR"),
            None,
            cells.by_selection("cross", "caam", place, "transductive"),
        )
        for table in ("2", "S3")
        for place in published.places(table)
    ]
    sides = {
        ("CPAC, paper-10fold", "WAR"): [line for line in cpac if any(line[3].values())],
        ("CAAM, transductive", "UAR"): [line for line in caam if any(line[3].values())],
    }
    if not any(sides.values()):
        return None
    height = 1.4 + 0.6 * max(map(len, sides.values()))
    figure, (axes,) = panels(1, 2, 4.6, height)
    for axis, ((title, metric), lines) in zip(axes, sides.items(), strict=True):
        if lines:
            _draw_lines(axis, lines, metric)
            axis.set_title(f"{title}: {metric}", fontsize=9)
        else:
            empty(axis, title)
    save(figure, path)
    return (
        "Means over folds and seeds, lines: 95 % intervals over speakers. Hollow: not "
        "all folds were run. What was not run has no dot."
    )


def _draw_lines(axis: Axes, lines: list[Line], metric: str) -> None:
    for y, (_, paper, rerun, cells) in enumerate(lines):
        for value, name, marker, step in (
            (paper, "paper", "D", -2),
            (rerun, "authors' re-run", "^", -1),
        ):
            if value is not None:
                height, label = y + step * _STEP, _once(axis, name)
                axis.plot(value, height, marker, color="black", ms=5, label=label)
        for step, (selection, cell) in enumerate(cells.items()):
            if cell is None:
                continue
            height, ink = y + step * _STEP, SELECTION_COLOURS[selection]
            if found := cell.estimate(metric).interval:
                axis.plot([found.low, found.high], [height] * 2, color=ink, lw=1.5)
            label = _once(axis, f"ours: {selection}")
            # Hollow where folds are missing.
            fill = ink if cell.complete else "white"
            mean = cell.mean(metric)
            axis.plot(mean, height, "o", c=ink, mfc=fill, ms=5, label=label)
    axis.set_yticks(range(len(lines)), [line[0] for line in lines], fontsize=7)
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.set_xlabel("percent", fontsize=8)
    axis.grid(axis="x", alpha=0.3)
    axis.legend(fontsize=7)


def _once(axis: Axes, label: str) -> str | None:
    """A label that the legend has not got yet."""
    return None if label in axis.get_legend_handles_labels()[1] else label


def draw_curves(cells: Cells, path: Path) -> str | None:
    """A panel for each corpus and reading of CPAC, and for CAAM."""
    wanted = [
        ("paper-10fold", system, place, "", "WAR")
        for place in CORPORA
        for system in READINGS
    ] + [
        ("cross", "caam", place, "transductive", "UAR")
        for place in ("casia-emodb", "emodb-casia")
    ]
    found = [w for w in wanted if mean_curve(cells.select(*w[:4]), w[4])[0]]
    if not found:
        return None
    n_columns = min(3, len(found))
    figure, axes = panels(-(-len(found) // n_columns), n_columns, 3.4)
    flat = [axis for row in axes for axis in row]
    for axis in flat[len(found) :]:
        axis.set_axis_off()
    for axis, (*where, metric) in zip(flat, found, strict=False):
        _draw_curve(axis, cells, where, metric)
    save(figure, path)
    return (
        "Grey: test score after each epoch, mean over the folds and seeds run. "
        "`oracle` lies above the curve since each fold chooses its own best epoch by "
        "the test fold. On single corpora `validated` comes from a training of its "
        "own, on fewer clips."
    )


def mean_curve(runs: Sequence[Run], metric: str) -> tuple[list[int], list[float], int]:
    """Epochs that all curves have, mean test score there, how many curves."""
    key = f"test_{metric}"
    curves = [
        curve
        for run in runs
        # Not of a fold of which only the second training is done.
        if {"last", "oracle"} & run.selections.keys()
        and (curve := {int(row["epoch"]): row[key] for row in run.curve if key in row})
    ]
    epochs = sorted(set.intersection(*map(set, curves))) if curves else []
    means = [float(np.mean([curve[e] for curve in curves])) for e in epochs]
    return epochs, means, len(curves)


def _draw_curve(axis: Axes, cells: Cells, where: Sequence[str], metric: str) -> None:
    protocol, system, place, part = where
    runs = cells.select(protocol, system, place, part)
    epochs, values, n_runs = mean_curve(runs, metric)
    axis.plot(epochs, values, color="#444444", lw=1)
    for selection, cell in cells.by_selection(protocol, system, place, part).items():
        if cell is not None:
            mean, ink = cell.mean(metric), SELECTION_COLOURS[selection]
            label = f"{selection} {mean:.1f}"
            axis.axhline(mean, color=ink, lw=1.2, ls="--", label=label)
    # In two lines, for the longest name of a system is as wide as a panel.
    title = f"{place_name(place)} ({n_runs} run{'s' if n_runs > 1 else ''})"
    axis.set_title(f"{title}\n{system_name(system)}", fontsize=8)
    axis.set_xlabel("epoch", fontsize=8)
    axis.set_ylabel(f"test {metric}, percent", fontsize=8)
    axis.legend(fontsize=7, loc="lower right")
    axis.grid(alpha=0.3)


def draw_confusion(cells: Cells, path: Path) -> str | None:
    """A row of matrices per selection, a column per corpus."""
    readings = {place: cells.reading(place) for place in CORPORA}
    found = {
        selection: {
            place: cells.cell("paper-10fold", system, place, selection)
            for place, system in readings.items()
        }
        for selection in ("oracle", "validated")
    }
    shown = {s: row for s, row in found.items() if any(row.values())}
    if not shown:
        return None
    figure, axes = panels(len(shown), len(CORPORA), 3.3)
    notes = []
    for (selection, of), row in zip(shown.items(), axes, strict=True):
        for (place, cell), axis in zip(of.items(), row, strict=True):
            name = f"{CORPORA[place]}, {selection}"
            if cell is None:
                empty(axis, name)
                wanted = planned("paper-10fold", readings[place], place)
                why = NOT_RUN if selection in wanted else NOT_PLANNED
                notes.append(f" {name}: {why}.")
                continue
            _draw_matrix(axis, cell, f"{name}: WAR {cell.mean('WAR'):.1f}")
            if not cell.complete:
                notes.append(f" {name}: {len(cell.scores)} of {cell.n_expected} folds.")
    names = "; ".join(
        f"{CORPORA[place]}: {system_name(system)}"
        for place, system in readings.items()
        if cells.select("paper-10fold", system, place)
    )
    save(figure, path)
    return (
        f"`paper-10fold`, clips of all folds and seeds ({names}); "
        "percent of each true class (rows) by prediction (columns)." + "".join(notes)
    )


def percent_matrix(cell: Cell) -> NDArray[np.float64]:
    """Rows: true class, summing to 100 (0 for a class without a clip)."""
    labels = list(range(len(cell.folds[0].labels)))
    counts = np.sum(
        [audmetric.confusion_matrix(s.truth, s.predicted, labels) for s in cell.folds],
        0,
    )
    return np.asarray(100 * counts / np.maximum(1, counts.sum(1, keepdims=True)))


def _draw_matrix(axis: Axes, cell: Cell, title: str) -> None:
    matrix, labels = percent_matrix(cell), cell.folds[0].labels
    axis.imshow(matrix, cmap="Blues", vmin=0, vmax=100)
    for (i, j), value in np.ndenumerate(matrix):
        ink, at = "white" if value > 55 else "black", "center"
        axis.text(j, i, f"{value:.0f}", ha=at, va=at, color=ink, fontsize=7)
    ticks = range(len(labels))
    axis.set_xticks(ticks, labels, rotation=45, ha="right", fontsize=7)
    axis.set_yticks(ticks, labels, fontsize=7)
    axis.set_title(title, fontsize=9)
