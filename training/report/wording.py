"""How names, numbers and cells are written on the page."""

from collections.abc import Container, Iterable, Mapping

from training.evaluation.bootstrap import Interval
from training.paper.reproduce.constants import CUT_ENDS, THROUGHOUT, UNHEARD
from training.report.cells import Cell
from training.report.load import SELECTIONS
from training.report.significance import Estimate

NOT_RUN = "*not run*"
NONE_PUBLISHED = "none published"
NOT_PLANNED = "not planned"
"""Nothing that `reproduce --needed` would run."""
ONE_FIT = "one fit"
"""Instead of a choice of epoch, where there is but one."""
SYSTEMS = {
    "cpac-published-features": "CPAC, published code and features",
    "cpac-as-published-code": "CPAC, as published code",
    "cpac-as-written": "CPAC, as written",
    "cpac-streaming": "CPAC, streaming",
    "cpac-raw-mfcc": "CPAC, as published code, trained as published in batches of 16",
    "cpac-raw-mfcc-batch-64": "CPAC, as published code, trained as published",
    THROUGHOUT: "CPAC, published code, features and training",
    CUT_ENDS: "CPAC, published code and features, ends of clips cut",
    "cpac-22050-hz": "CPAC, as published code, MFCC at 22,050 Hz",
    "cpac-joint": "CPAC, multi-corpus training",
    "cpac-joint-own": "CPAC, multi-corpus, then its own",
    "whisper-joint": "Whisper's first blocks and CPAC's head, multi-corpus training",
    **{
        f"algorithm-{i}-published-features": f"Algorithm {i}, published features"
        for i in (1, 2, 3)
    },
    **{f"algorithm-{i}": f"Algorithm {i}" for i in (1, 2, 3, 4)},
    **{name.lower(): name for name in ("CAAM", "DANN", "CDAN", "NMFTSL")},
    **{f"{n.lower()}+svm": f"{n}+SVM" for n in ("CAAM", "DANN", "CDAN", "NMFTSL")},
    "algorithm-4-as-published": "Algorithm 4, nearly as published",
    "caam-as-published": "CAAM, nearly as published",
    "algorithm-4-both-statistics": "Algorithm 4, batch norm on both corpora",
    "algorithm-4-source-levels": "Algorithm 4, source-statistics normalisation",
    "caam-source-levels": "CAAM, source-statistics normalisation",
    "compare-svm": "openSMILE ComParE 2016 + SVM",
    "egemaps-svm": "openSMILE eGeMAPS + SVM",
    "cnn": "CNN on log-mel, our baseline",
    "light-cnn": "light CNN on log-mel, our baseline",
    "cnn-3d": "3D-CNN on log-mel, delta and delta-delta, our baseline",
    "echo-state": "echo state network on MFCC, our baseline",
    UNHEARD: "clip of the nearest length, unheard",
}


def system_name(system: str) -> str:
    return SYSTEMS.get(system, system)


def in_order(systems: Iterable[str]) -> list[str]:
    """The order of `SYSTEMS`, then those that are not known by name."""
    order = {name: i for i, name in enumerate(SYSTEMS)}
    return sorted(systems, key=lambda name: (order.get(name, len(order)), name))


def number(value: float | None, missing: str = NONE_PUBLISHED) -> str:
    return missing if value is None else f"{value:.2f}"


def estimate(found: Estimate | None, sign: str = "") -> str:
    """A metric, or with `+` a difference, its interval, how much of it was run.

    A double dagger: not known to be of one source network.
    """
    if found is None:
        return NOT_RUN
    text = f"{found.points:{sign}.2f} {_bounds(found.interval, sign)}"
    if found.n_folds < found.n_expected:
        text += f"; {found.n_folds} of {found.n_expected} folds"
    return text if found.one_start else text + "‡"


def shown(cell: Cell | None, metric: str) -> str:
    return NOT_RUN if cell is None else estimate(cell.estimate(metric))


def _bounds(found: Interval | None, sign: str) -> str:
    """`(91.0 to 96.8)`, with a dagger where it is crude."""
    if found is None:
        return "(no interval: one speaker)"
    dagger = "†" if found.crude else ""
    return f"({found.low:{sign}.1f} to {found.high:{sign}.1f}){dagger}"


def selected(
    cells: Mapping[str, Cell | None],
    metric: str,
    planned: Container[str] = SELECTIONS,
) -> list[str]:
    """The columns oracle, last and validated; `planned`: those to be run at all."""
    last = cells["last"]
    one_fit = last is not None and last.one_fit
    texts = []
    for selection, cell in cells.items():
        if cell is None and (one_fit or selection not in planned):
            texts.append(ONE_FIT if one_fit else NOT_PLANNED)
        else:
            texts.append(shown(cell, metric))
    return texts


def effort(
    cells: Mapping[str, Cell | None], planned: Container[str] = SELECTIONS
) -> str:
    """Seeds and epochs behind the columns of a row."""
    texts: dict[str, list[str]] = {}
    for selection, cell in cells.items():
        if cell is not None:
            texts.setdefault(_effort(cell), []).append(selection)
    if len(texts) < 2:
        return next(iter(texts), NOT_RUN if "last" in planned else NOT_PLANNED)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in texts.items())


def _effort(cell: Cell) -> str:
    n, (low, high) = cell.scores["seed"].nunique(), cell.epochs
    seeds = f"{n} seed{'s' if n > 1 else ''}"
    if cell.one_fit:
        return f"{seeds}, {ONE_FIT}"
    return f"{seeds}, {low if low == high else f'{low} to {high}'} epochs"


def listed(names: Iterable[object]) -> str:
    return ", ".join(sorted({str(name) for name in names}))


def short(revision: str) -> str:
    """The first characters of a revision; a + if it was changed."""
    return revision[:7] + "+" * revision.endswith("+")
