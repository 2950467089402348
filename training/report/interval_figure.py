"""Ours beside the paper's: a dot and an interval each."""

from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

from training.engine.plotting import SELECTION_COLOURS, empty, panels, save
from training.paper.reproduce.constants import READINGS
from training.protocols.names import CORPORA, place_name
from training.report.cells import Cell, Cells
from training.report.published import RERUN, Published
from training.report.wording import system_name

_STEP = 0.15
"""Between the dots of a line, of the distance between lines."""


@dataclass(frozen=True, slots=True)
class Line:
    """Dots at one height: the paper's, the re-run's, ours."""

    name: str
    paper: float | None
    rerun: float | None
    cells: dict[str, Cell | None]


def draw_intervals(cells: Cells, published: Published, path: Path) -> str | None:
    """Dots with 95 % intervals; None: neither CPAC nor CAAM was run."""
    sides = {
        ("CPAC, paper-10fold", "WAR"): _of_cpac(cells, published),
        ("CAAM, transductive", "UAR"): _of_caam(cells, published),
    }
    if not any(sides.values()):
        return None
    height = 1.4 + 0.6 * max(map(len, sides.values()))
    figure, (axes,) = panels(1, 2, 4.6, height)
    for axis, ((title, metric), lines) in zip(axes, sides.items(), strict=True):
        if lines:
            _draw(axis, lines, metric)
            axis.set_title(f"{title}: {metric}", fontsize=9)
        else:
            empty(axis, title)
    save(figure, path)
    return (
        "Means over folds and seeds, lines: 95 % intervals over speakers. Hollow: not "
        "all folds were run. What was not run has no dot."
    )


def _of_cpac(cells: Cells, published: Published) -> list[Line]:
    lines = [
        Line(
            f"{name}\n{system_name(system).removeprefix('CPAC, ')}",
            published.value("1", "CPAC", place, "WAR"),
            published.value(RERUN, "CPAC", place, "WAR"),
            cells.by_selection("paper-10fold", system, place),
        )
        for place, name in CORPORA.items()
        for system in READINGS
    ]
    return [line for line in lines if any(line.cells.values())]


def _of_caam(cells: Cells, published: Published) -> list[Line]:
    lines = [
        Line(
            place_name(place),
            published.value(table, "CAAM", place, "UAR"),
            None,
            cells.by_selection("cross", "caam", place, "transductive"),
        )
        for table in ("2", "S3")
        for place in published.places(table)
    ]
    return [line for line in lines if any(line.cells.values())]


def _draw(axis: Axes, lines: list[Line], metric: str) -> None:
    for y, line in enumerate(lines):
        for value, name, marker, step in (
            (line.paper, "paper", "D", -2),
            (line.rerun, "authors' re-run", "^", -1),
        ):
            if value is not None:
                height, label = y + step * _STEP, _once(axis, name)
                axis.plot(value, height, marker, color="black", ms=5, label=label)
        for step, (selection, cell) in enumerate(line.cells.items()):
            if cell is None:
                continue
            height, ink = y + step * _STEP, SELECTION_COLOURS[selection]
            found = cell.estimate(metric).interval
            if found is not None:
                axis.plot([found.low, found.high], [height] * 2, color=ink, lw=1.5)
            label = _once(axis, f"ours: {selection}")
            # Hollow where folds are missing.
            fill = ink if cell.complete else "white"
            axis.plot(
                cell.mean(metric), height, "o", c=ink, mfc=fill, ms=5, label=label
            )
    axis.set_yticks(range(len(lines)), [line.name for line in lines], fontsize=7)
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.set_xlabel("percent", fontsize=8)
    axis.grid(axis="x", alpha=0.3)
    axis.legend(fontsize=7)


def _once(axis: Axes, label: str) -> str | None:
    """A label that the legend has not got yet."""
    return None if label in axis.get_legend_handles_labels()[1] else label
