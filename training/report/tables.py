"""The paper's tables: its number, the authors' re-run and ours, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.paper.reproduce.constants import BASELINES, READINGS
from training.protocols.names import CORPORA, place_name
from training.report.cells import Cell, Cells
from training.report.load import SELECTIONS
from training.report.published import RERUN, Published
from training.report.wording import effort, number, selected, system_name, table

_ADAPTED = ("CAAM", "DANN", "CDAN", "NMFTSL")
OF_METHOD = {
    "CPAC": READINGS,
    **{f"Algorithm {i}": (f"algorithm-{i}",) for i in (1, 2, 3, 4)},
    **{name: (name.lower(),) for name in _ADAPTED},
    **{f"{name}+SVM": (f"{name.lower()}+svm",) for name in _ADAPTED},
}
"""The paper's name of a method -> what was run for it."""


@dataclass(frozen=True, slots=True)
class PaperTable:
    """Which numbers a table of the paper has."""

    name: str
    title: str
    protocol: str
    part: str
    metrics: tuple[str, ...]
    yardsticks: bool = False


PAPER_TABLES = (
    PaperTable("1", "CPAC on four corpora", "paper-10fold", "", ("WAR", "UAR"), True),
    PaperTable(
        "2", "adaptation across corpora", "cross", "transductive", ("UAR", "WAR"), True
    ),
    PaperTable("3", "ablation of CPAC", "paper-10fold", "", ("WAR",)),
    PaperTable(
        "4", "ablation of CAAM: no adaptation", "cross", "transductive", ("UAR", "WAR")
    ),
    PaperTable(
        "S3",
        "adaptation from and to RAVDESS",
        "cross",
        "transductive",
        ("UAR", "WAR"),
        True,
    ),
    PaperTable(
        "S4",
        "no adaptation from and to RAVDESS",
        "cross",
        "transductive",
        ("UAR", "WAR"),
    ),
    PaperTable(
        "S5",
        "SVM with target labels behind adapted features",
        "cross",
        "supervised",
        ("UAR", "WAR"),
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One system on one place, in one metric."""

    place: str
    system: str
    metric: str
    paper: float | None
    rerun: float | None
    cells: dict[str, Cell | None]
    """By selection."""

    def record(self) -> dict[str, Any]:
        """For `results.json`; `ours` names no number that was not run."""
        return {
            "place": self.place,
            "system": self.system,
            "metric": self.metric,
            "paper": self.paper,
            "rerun": self.rerun,
            "ours": {
                selection: {
                    "mean": round(cell.mean(self.metric), 2),
                    "interval": [round(found.low, 2), round(found.high, 2)]
                    if (found := cell.intervals[self.metric])
                    else None,
                    "folds": len(cell.scored),
                    "folds_expected": cell.n_expected,
                    "seeds": cell.seeds,
                    "epochs": list(cell.epochs),
                }
                for selection, cell in self.cells.items()
                if cell is not None
            },
        }


def rows(spec: PaperTable, cells: Cells, published: Published) -> list[Row]:
    """All rows of a table of the paper, run or not."""
    return [
        Row(
            place,
            system,
            metric,
            published.value(spec.name, method, place, metric),
            published.value(RERUN, method, place, metric),
            by_selection(cells, spec.protocol, system, place, spec.part),
        )
        for metric in spec.metrics
        for place in published.places(spec.name)
        for method, system in _systems(spec, place, cells, published)
    ]


def by_selection(
    cells: Cells, protocol: str, system: str, place: str, part: str = ""
) -> dict[str, Cell | None]:
    """The three columns of ours."""
    return {s: cells.cell(protocol, system, place, s, part) for s in SELECTIONS}


def _systems(
    spec: PaperTable, place: str, cells: Cells, published: Published
) -> list[tuple[str, str]]:
    found = [
        (method, system)
        for method in published.methods(spec.name)
        for system in OF_METHOD.get(method, ())
    ]
    extra = [s for s in BASELINES if spec.yardsticks]
    return found + [
        ("", s) for s in extra if cells.select(spec.protocol, s, place, spec.part)
    ]


def paper_section(
    spec: PaperTable, found: Sequence[Row], published: Published
) -> list[str]:
    """Heading, command, table."""
    single = spec.protocol == "paper-10fold"
    lines = [
        f"### Table {spec.name}: {spec.title}",
        "",
        f"`python -m training reproduce {spec.name} --protocol {spec.protocol}`",
        "",
    ]
    if not single:
        lines += ["The authors published no re-run of this table.", ""]
    for metric in spec.metrics:
        header = ["Corpus" if single else "Corpora", "System", f"{metric}: paper"]
        header += ["authors' re-run"] if single else []
        header += [f"ours: {selection}" for selection in SELECTIONS]
        header += ["Seeds, epochs"]
        lines += table(
            header,
            [
                [place_name(row.place), system_name(row.system), number(row.paper)]
                + ([number(row.rerun)] if single else [])
                + [*selected(row.cells, metric), effort(row.cells)]
                for row in found
                if row.metric == metric
            ],
        )
    return lines + _quoted(spec, published)


def _quoted(spec: PaperTable, published: Published) -> list[str]:
    """Methods of others that the paper only quotes."""
    others = [m for m in published.methods(spec.name) if m not in OF_METHOD]
    quoted = [
        [CORPORA.get(place, place), method, number(value)]
        for place in published.places(spec.name)
        for method in others
        if (value := published.value(spec.name, method, place, "WAR")) is not None
    ]
    if not quoted:
        return []
    return [
        "What the paper quotes of others, on splits of their own:",
        "",
        *table(["Corpus", "Method", "WAR: paper"], quoted),
    ]
