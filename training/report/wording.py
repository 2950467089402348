"""How names, numbers and cells are written on the page."""

from collections.abc import Mapping, Sequence

from training.evaluation.bootstrap import Interval
from training.report.cells import Cell

NOT_RUN = "*not run*"
NONE_PUBLISHED = "none published"
ONE_FIT = "one fit"
"""Instead of a choice of epoch, where there is but one."""
SYSTEMS = {
    "cpac-as-published-code": "CPAC, as published code",
    "cpac-as-written": "CPAC, as written",
    "cpac-streaming": "CPAC, streaming",
    "cpac-joint": "CPAC, all corpora in one",
    "cpac-joint-own": "CPAC, all corpora, then its own",
    "algorithm-1": "Algorithm 1",
    "algorithm-2": "Algorithm 2",
    "algorithm-3": "Algorithm 3",
    "algorithm-4": "Algorithm 4",
    "caam": "CAAM",
    "dann": "DANN",
    "cdan": "CDAN",
    "nmftsl": "NMFTSL",
    "caam+svm": "CAAM+SVM",
    "dann+svm": "DANN+SVM",
    "cdan+svm": "CDAN+SVM",
    "nmftsl+svm": "NMFTSL+SVM",
    "compare-svm": "openSMILE ComParE 2016 + SVM",
    "egemaps-svm": "openSMILE eGeMAPS + SVM",
}


def system_name(system: str) -> str:
    """As tables print it; one that is not known is printed as it is."""
    return SYSTEMS.get(system, system)


def in_order(systems: Sequence[str]) -> list[str]:
    """The order of `SYSTEMS`, then those that are not known by name."""
    known = list(SYSTEMS)
    return sorted(
        systems, key=lambda s: (known.index(s) if s in known else len(known), s)
    )


def number(value: float | None) -> str:
    """Percent, as the paper prints them."""
    return NONE_PUBLISHED if value is None else f"{value:.2f}"


def shown(cell: Cell | None, metric: str) -> str:
    """Mean, interval, and how much of the cell was run."""
    if cell is None:
        return NOT_RUN
    text = f"{cell.mean(metric):.2f} {bounds(cell.intervals[metric])}"
    if not cell.complete:
        text += f"; {len(cell.scored)} of {cell.n_expected} folds"
    return text


def bounds(found: Interval | None, *, signed: bool = False) -> str:
    """`(91.0 to 96.8)`, with a dagger where it is crude."""
    if found is None:
        return "(no interval: one speaker)"
    form = "+.1f" if signed else ".1f"
    dagger = "†" if found.crude else ""
    return f"({found.low:{form}} to {found.high:{form}}){dagger}"


def selected(cells: Mapping[str, Cell | None], metric: str) -> list[str]:
    """The columns oracle, last and validated."""
    last = cells["last"]
    one_fit = last is not None and last.epochs[1] <= 1
    return [
        ONE_FIT if cell is None and one_fit else shown(cell, metric)
        for cell in cells.values()
    ]


def effort(cells: Mapping[str, Cell | None]) -> str:
    """Seeds and epochs behind the columns of a row."""
    texts: dict[str, list[str]] = {}
    for selection, cell in cells.items():
        if cell is not None:
            texts.setdefault(_effort(cell), []).append(selection)
    if not texts:
        return NOT_RUN
    if len(texts) == 1:
        return next(iter(texts))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())


def _effort(cell: Cell) -> str:
    n, (low, high) = len(cell.seeds), cell.epochs
    seeds = f"{n} seed{'s' if n > 1 else ''}"
    if high <= 1:
        return f"{seeds}, {ONE_FIT}"
    return f"{seeds}, {low if low == high else f'{low} to {high}'} epochs"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a markdown table; every column is to be filled."""
    for row in rows:
        assert len(row) == len(header), row
        assert all(row), row
    lines = ["| " + " | ".join(row) + " |" for row in (header, *rows)]
    lines.insert(1, "|" + " --- |" * len(header))
    return [*lines, ""]
