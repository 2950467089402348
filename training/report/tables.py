"""The paper's tables: its number, the authors' re-run and ours, side by side."""

from dataclasses import dataclass
from typing import Any

from training.paper.reproduce.constants import (
    AS_PUBLISHED,
    BASELINES,
    PUBLISHED_FEATURES,
    READINGS,
    RIVALS,
)
from training.paper.reproduce.tables import BLIND, BY_TEXT, NOT_ADAPTED, SEED, Row
from training.report.cells import Cell, Cells
from training.report.load import SELECTIONS
from training.report.published import RERUN, Published
from training.report.wording import SYSTEMS

OF_METHOD = {
    "CPAC": READINGS,
    **{name: (system,) for system, name in SYSTEMS.items() if "," not in name},
    **{SYSTEMS[system]: (system + PUBLISHED_FEATURES, system) for system in BY_TEXT},
    **{SYSTEMS[s]: (s, s + AS_PUBLISHED) for s in ("caam", "algorithm-4")},
}
"""The paper's name of a method -> what was run for it."""


FAMILIES = {
    "SVM": "compare-svm",
    "CNN": "cnn",
    "LCNN": "light-cnn",
    "3D-CNN": "cnn-3d",
    "ESN": "echo-state",
}
"""What the paper calls `FAMILY (AUTHOR YEAR)` -> our baseline for the family."""
STATISTICS = ("4", "S4")
"""Tables that show what else may be heard of the target beside Algorithm 4."""


@dataclass(frozen=True, slots=True)
class PaperTable:
    """Which numbers a table of the paper has."""

    name: str
    title: str
    metrics: tuple[str, ...] = ("UAR", "WAR")
    part: str = ""
    """Of `cross`; else the table is of `paper-10fold`."""
    baselines: bool = False
    """Whether openSMILE with an SVM stands beside it, where it was run."""
    rivals: bool = False
    """Whether our baselines for other families of systems do."""

    @property
    def protocol(self) -> str:
        return "cross" if self.part else "paper-10fold"


_PART = "transductive"
PAPER_TABLES = (
    PaperTable(
        "1", "CPAC on four corpora", ("WAR", "UAR"), baselines=True, rivals=True
    ),
    PaperTable("2", "adaptation across corpora", part=_PART, baselines=True),
    PaperTable("3", "ablation of CPAC", ("WAR",)),
    PaperTable("4", "ablation of CAAM: no adaptation", part=_PART),
    PaperTable("S3", "adaptation from and to RAVDESS", part=_PART, baselines=True),
    PaperTable("S4", "no adaptation from and to RAVDESS", part=_PART),
    PaperTable(
        "S5", "SVM with target labels behind adapted features", part="supervised"
    ),
)


def rows(spec: PaperTable, cells: Cells, published: Published) -> list[dict[str, Any]]:
    """Rows of a table of the paper: a system on a place, by a metric.

    Without those that were not run and are not to be. `cells` are ours by selection.
    """
    found: list[dict[str, Any]] = [
        {
            "place": place,
            "system": system,
            "metric": metric,
            "paper": published.value(spec.name, method, place, metric),
            "rerun": published.value(RERUN, method, place, metric),
            "cells": cells.by_selection(spec.protocol, system, place, spec.part),
            "planned": planned(spec.protocol, system, place),
        }
        for metric in spec.metrics
        for place in published.places(spec.name)
        for method, system in _systems(spec, place, cells, published)
    ]
    return [row for row in found if row["planned"] or any(row["cells"].values())]


def planned(protocol: str, system: str, place: str) -> tuple[str, ...]:
    """The selections that `reproduce --needed` would run."""
    needed = Row(protocol, system, place).needed(SEED)
    if not needed:
        return ()
    if protocol == "cross" or any(one.inner for one in needed):
        return SELECTIONS
    return SELECTIONS[:2]


def record(row: dict[str, Any]) -> dict[str, Any]:
    """A row for `results.json`; `ours` names no number that was not run."""
    ours = {
        selection: {
            "mean": round(cell.mean(row["metric"]), 2),
            "interval": cell.estimate(row["metric"]).bounds,
            **cell.extent(),
        }
        for selection, cell in row["cells"].items()
        if cell is not None
    }
    figures = {key: row[key] for key in row if key not in ("cells", "planned")}
    return figures | {"ours": ours}


def _systems(
    spec: PaperTable, place: str, cells: Cells, published: Published
) -> list[tuple[str, str]]:
    found = [
        (method, system)
        for method in published.methods(spec.name)
        for system in OF_METHOD.get(method, ())
    ]
    extra = BASELINES if spec.baselines else ()
    found += [
        ("", s) for s in extra if cells.select(spec.protocol, s, place, spec.part)
    ]
    others = [s for s in RIVALS if s not in BASELINES] if spec.rivals else []
    if spec.name in STATISTICS:
        others = [*NOT_ADAPTED[1:], *BLIND]
    return found + [("", s) for s in others]


def quoted(
    spec: PaperTable, cells: Cells, published: Published
) -> list[tuple[str, str, float | None, str, dict[str, Cell | None]]]:
    """Corpus, method and WAR of other authors, which the paper only quotes.

    And our baseline for its family, with its cells by selection.
    """
    return [
        (place, method, value, rival, cells.by_selection(spec.protocol, rival, place))
        for place in published.places(spec.name)
        for method in published.methods(spec.name)
        if (rival := FAMILIES.get(method.partition(" (")[0]))
        and (value := published.value(spec.name, method, place, "WAR")) is not None
    ]
