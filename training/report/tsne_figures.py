"""Figures 2, 3, S2, S3, S4: what networks make of clips, in the plane."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from training.engine.plotting import (
    colour,
    drawn_from,
    empty,
    legend,
    panels,
    save,
)
from training.paper.reproduce.constants import READINGS
from training.protocols.names import CORPORA, place_name
from training.report.cells import Cells
from training.report.embedding import Points, read_points
from training.report.load import Run
from training.report.wording import NOT_RUN, system_name

_CPAC = "cpac"
"""The first of `READINGS` whose features are there."""
_DRAWING = 1
"""To be raised with a change of how they are drawn, so that they are drawn anew."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One t-SNE: which cell, and which of its arrays."""

    protocol: str
    system: str
    place: str
    what: str = "psi"

    def title(self, run: Run | None) -> str:
        """Above the panel; `run`: what is shown, if it was run."""
        place = place_name(self.place)
        if self.what == "mfcc":
            return f"{place.replace(' to ', ' and ')}: raw MFCC"
        if run is None and self.system == _CPAC:
            return f"{place}: CPAC"
        return f"{place}: {system_name(run.system if run else self.system)}"


def _single(*cells: tuple[str, str]) -> tuple[Panel, ...]:
    return tuple(Panel("paper-10fold", system, place) for place, system in cells)


TSNE: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "2": (
        "t-SNE of CASIA: without attention (Algorithm 2) and CPAC",
        _single(("casia", "algorithm-2"), ("casia", _CPAC)),
    ),
    "3": (
        "t-SNE of CASIA and RAVDESS: CPAC",
        _single(("casia", _CPAC), ("ravdess", _CPAC)),
    ),
    "S2": (
        "t-SNE of CASIA: Algorithms 1 and 3",
        _single(("casia", "algorithm-1"), ("casia", "algorithm-3")),
    ),
    "S3": (
        "t-SNE of EMODB and SAVEE: CPAC",
        _single(("emodb", _CPAC), ("savee", _CPAC)),
    ),
    "S4": (
        "t-SNE of CASIA and EMODB: time-averaged raw MFCC, and after CAAM",
        (
            Panel("cross", "caam", "casia-emodb", "mfcc"),
            Panel("cross", "caam", "casia-emodb"),
            Panel("cross", "caam", "emodb-casia"),
        ),
    ),
}
"""By the paper's number: title and panels."""


def draw_tsne(cells: Cells, wanted: Sequence[Panel], path: Path) -> str | None:
    """A panel each; emotions by colour, corpora by marker. None: nothing was run.

    A picture that was drawn from the same points is left as it is: t-SNE takes longer
    than all else of the page.
    """
    found = [(panel, _with_points(cells, panel)) for panel in wanted]
    points = {
        panel: read_points(run, panel.what) for panel, run in found if run is not None
    }
    if not points:
        return None
    titles = {panel: panel.title(run) for panel, run in found}
    digest = _digest(titles, points)
    if drawn_from(path) != digest:
        _draw(titles, points, path, digest)
    return (
        "; ".join(
            f"{titles[panel]} ({len(points[panel].emotion)} clips, {run.fold}, "
            f"seed {run.seed})"
            if run
            else f"{titles[panel]} {NOT_RUN}"
            for panel, run in found
        )
        + "."
    )


def _digest(titles: dict[Panel, str], points: dict[Panel, Points]) -> str:
    sha = hashlib.sha256(f"drawing {_DRAWING}".encode())
    for panel, title in titles.items():
        sha.update(f"{title} {panel.place} {panel.what}".encode())
        if panel in points:
            shown = points[panel]
            sha.update(" ".join(shown.emotion).encode())
            sha.update(shown.vectors.tobytes() + shown.domain.tobytes())
    return sha.hexdigest()


def _draw(
    titles: dict[Panel, str], points: dict[Panel, Points], path: Path, digest: str
) -> None:
    figure, (axes,) = panels(1, len(titles), 4.0)
    for (panel, title), axis in zip(titles.items(), axes, strict=True):
        if panel in points:
            _scatter(axis, points[panel], panel.place.split("-"))
            axis.set_title(title, fontsize=9)
        else:
            empty(axis, title)
    legend(figure, sorted({e for shown in points.values() for e in shown.emotion}))
    save(figure, path, digest)


def _with_points(cells: Cells, panel: Panel) -> Run | None:
    part = "transductive" if panel.protocol == "cross" else ""
    systems = READINGS if panel.system == _CPAC else (panel.system,)
    return next(
        (
            run
            for system in systems
            for run in cells.select(panel.protocol, system, panel.place, part)
            if run.points.exists()
        ),
        None,
    )


def _scatter(axis: Axes, points: Points, corpora: Sequence[str]) -> None:
    xy = points.plane()
    inks = np.array([colour(emotion) for emotion in points.emotion])
    handles = []
    for domain, (corpus, marker) in enumerate(zip(corpora, "ox", strict=False)):
        rows = points.domain == domain
        x, y = xy[rows].T
        axis.scatter(x, y, s=9, c=inks[rows], marker=marker, linewidths=0.7)
        name = CORPORA.get(corpus, corpus)
        handles.append(
            Line2D([], [], marker=marker, linestyle="", color="black", label=name)
        )
    if len(corpora) > 1:
        axis.legend(handles=handles, fontsize=7, loc="upper right")
    axis.set(xticks=[], yticks=[])
