"""Figures 2, 3, S2, S3, S4: what networks make of clips, in the plane."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from training.engine.plotting import colour, drawn_from, empty, legend, panels, save
from training.paper.reproduce.constants import PUBLISHED_FEATURES, READINGS
from training.paper.reproduce.tables import BY_TEXT
from training.protocols.names import CORPORA, place_name
from training.report.cells import Cells
from training.report.load import Run
from training.report.wording import NOT_RUN, system_name

SEED = 98
_PERPLEXITY = 30.0
_CPAC = "cpac"
"""The first of `READINGS` whose features are there."""
_DRAWING = 1
"""To be raised with a change of how they are drawn, so that they are drawn anew."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One t-SNE: which cell, and which of the arrays beside its result."""

    place: str
    system: str
    what: str = "psi"
    """`psi` of the network, or `mfcc`."""

    def run(self, cells: Cells) -> Run | None:
        """The first whose psi was kept, preferably on the published features.

        Of pairs, the transductive ones.
        """
        single = "-" not in self.place
        where = ("paper-10fold", "") if single else ("cross", "transductive")
        return next(
            (
                run
                for system in self._systems()
                for run in cells.select(where[0], system, self.place, where[1])
                if run.points.exists()
            ),
            None,
        )

    def _systems(self) -> tuple[str, ...]:
        if self.system == _CPAC:
            return READINGS
        if self.system in BY_TEXT:
            return self.system + PUBLISHED_FEATURES, self.system
        return (self.system,)

    def title(self, run: Run | None) -> str:
        place = place_name(self.place)
        if self.what == "mfcc":
            return f"{place.replace(' to ', ' and ')}: raw MFCC"
        if run is None and self.system == _CPAC:
            return f"{place}: CPAC"
        return f"{place}: {system_name(run.system if run else self.system)}"


TSNE: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "2": (
        "t-SNE of CASIA: without attention (Algorithm 2) and CPAC",
        (Panel("casia", "algorithm-2"), Panel("casia", _CPAC)),
    ),
    "3": (
        "t-SNE of CASIA and RAVDESS: CPAC",
        (Panel("casia", _CPAC), Panel("ravdess", _CPAC)),
    ),
    "S2": (
        "t-SNE of CASIA: Algorithms 1 and 3",
        (Panel("casia", "algorithm-1"), Panel("casia", "algorithm-3")),
    ),
    "S3": (
        "t-SNE of EMODB and SAVEE: CPAC",
        (Panel("emodb", _CPAC), Panel("savee", _CPAC)),
    ),
    "S4": (
        "t-SNE of CASIA and EMODB: time-averaged raw MFCC, and after CAAM",
        (
            Panel("casia-emodb", "caam", "mfcc"),
            Panel("casia-emodb", "caam"),
            Panel("emodb-casia", "caam"),
        ),
    ),
}
"""By the paper's number: title and panels."""


@dataclass(frozen=True, slots=True)
class Points:
    """Clips in the space of a network, or of raw MFCCs."""

    vectors: FloatArray
    """(n, 64) psi, or (n, 39) time-averaged MFCC."""
    emotion: tuple[str, ...]
    domain: NDArray[np.int_]
    """(n,): 0 source, 1 target; all 0 of a single corpus."""

    def plane(self) -> FloatArray:
        """Where t-SNE puts them, (n, 2), in no unit; seeded."""
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        # A few points allow less than the usual number of neighbours.
        tsne = TSNE(
            perplexity=min(_PERPLEXITY, (len(self.vectors) - 1) / 3),
            init="pca",
            random_state=SEED,
        )
        # Its threads meet a thousand times, and beside a training wait for each other
        # each time; one alone is fast enough, and adds in the same order everywhere.
        with threadpool_limits(1):
            return np.asarray(tsne.fit_transform(self.vectors), np.float32)


def read_points(run: Run, what: str) -> Points:
    """Read `psi` or `mfcc` beside a result.

    Raises:
        SourceError: the file beside the result is none, or lacks what is asked for.
    """
    labels = next(iter(run.selections.values())).labels
    try:
        with run.points.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            vectors = stored[what].astype(np.float32)
            truth = stored["truth"].astype(np.int_)
            domain = np.zeros(len(truth), np.int_)
            if "domain" in stored:
                domain = stored["domain"].astype(np.int_)
        if vectors.ndim != 2 or not len(vectors) == len(truth) == len(domain) > 3:
            raise ValueError(f"{what}, truth and domain differ in length")
        if not np.isfinite(vectors).all():
            raise ValueError(f"{what} is not finite")
        if not 0 <= truth.min() <= truth.max() < len(labels):
            raise ValueError(f"it has classes that {run.path.name} does not")
        if not np.isin(domain, (0, 1)).all():
            raise ValueError("a domain is neither 0, source, nor 1, target")
    except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise SourceError(
            f"{run.points}: {error}; delete it and its JSON and run its fold again"
        ) from error
    return Points(vectors, tuple(labels[i] for i in truth), domain)


def draw_tsne(cells: Cells, wanted: Sequence[Panel], path: Path) -> str | None:
    """A panel each; emotions by colour, corpora by marker. None: nothing was run.

    A picture that was drawn from the same points is left as it is: t-SNE takes longer
    than all else of the page.
    """
    runs = {panel: panel.run(cells) for panel in wanted}
    points = {p: read_points(run, p.what) for p, run in runs.items() if run is not None}
    if not points:
        return None
    titles = {panel: panel.title(run) for panel, run in runs.items()}
    digest = _digest(titles, points)
    if drawn_from(path) != digest:
        _draw(titles, points, path, digest)
    return (
        "; ".join(
            f"{titles[panel]} ({len(points[panel].emotion)} clips, {run.fold}, "
            f"seed {run.seed}{_apart(panel, run)})"
            if run
            else f"{titles[panel]} {NOT_RUN}"
            for panel, run in runs.items()
        )
        + "."
    )


def _apart(panel: Panel, run: Run) -> str:
    """The distance that the paper's caption tells of two corpora."""
    raw = panel.what == "mfcc"
    of = run.distances.get("before" if raw else "after", {})
    if "mean" not in of:
        return ""
    over = ", over all frames" if raw else ""
    return f"; means of a class {of['mean']:.2f} apart{over}"


def _digest(titles: dict[Panel, str], points: dict[Panel, Points]) -> str:
    sha = hashlib.sha256(f"drawing {_DRAWING}".encode())
    for panel, title in titles.items():
        sha.update(f"{title} {panel.place} {panel.what}".encode())
        if shown := points.get(panel):
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
