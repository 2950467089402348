"""Fig. S1: confusion matrices of the four corpora."""

from pathlib import Path

import audmetric
import numpy as np
from matplotlib.axes import Axes

from training.engine.plotting import empty, panels, save
from training.protocols.names import CORPORA
from training.report.cells import Cell, Cells
from training.report.wording import NOT_RUN, system_name

_SELECTIONS = ("oracle", "validated")


def draw_confusion(cells: Cells, path: Path) -> str | None:
    """A row of matrices per selection, a column per corpus; None: nothing was run."""
    found = {
        (selection, place): cells.cell(
            "paper-10fold", cells.reading(place), place, selection
        )
        for selection in _SELECTIONS
        for place in CORPORA
    }
    if not any(found.values()):
        return None
    shown = [s for s in _SELECTIONS if any(found[s, place] for place in CORPORA)]
    figure, axes = panels(len(shown), len(CORPORA), 3.3)
    notes = []
    for selection, row in zip(shown, axes, strict=True):
        for (place, name), axis in zip(CORPORA.items(), row, strict=True):
            cell = found[selection, place]
            if cell is None:
                empty(axis, f"{name}, {selection}")
                notes.append(f"{name}, {selection}: {NOT_RUN}")
                continue
            _matrix(axis, cell, f"{name}, {selection}: WAR {cell.mean('WAR'):.1f}")
            if not cell.complete:
                run = f"{len(cell.scores)} of {cell.n_expected} folds"
                notes.append(f"{name}, {selection}: {run}")
    save(figure, path)
    return (
        f"`paper-10fold`, clips of all folds and seeds ({_readings(cells)}); "
        "percent of each true class (rows) by prediction (columns)."
        + "".join(f" {note}." for note in notes)
    )


def _readings(cells: Cells) -> str:
    texts = [
        f"{name}: {system_name(cells.reading(place))}"
        for place, name in CORPORA.items()
        if cells.select("paper-10fold", cells.reading(place), place)
    ]
    return "; ".join(texts)


def percent_matrix(cell: Cell) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Rows: true class, summing to 100 (0 for a class without a clip)."""
    labels = list(range(len(cell.folds[0].labels)))
    counts = np.sum(
        [audmetric.confusion_matrix(s.truth, s.predicted, labels) for s in cell.folds],
        0,
    )
    return np.asarray(100 * counts / np.maximum(1, counts.sum(1, keepdims=True)))


def _matrix(axis: Axes, cell: Cell, title: str) -> None:
    matrix, labels = percent_matrix(cell), cell.folds[0].labels
    axis.imshow(matrix, cmap="Blues", vmin=0, vmax=100)
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            ink = "white" if value > 55 else "black"
            axis.text(
                j, i, f"{value:.0f}", ha="center", va="center", color=ink, fontsize=7
            )
    ticks = range(len(labels))
    axis.set_xticks(ticks, labels, rotation=45, ha="right", fontsize=7)
    axis.set_yticks(ticks, labels, fontsize=7)
    axis.set_title(title, fontsize=9)
