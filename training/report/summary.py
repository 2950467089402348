"""What is asked first, and what all of it rests on."""

from collections.abc import Iterable, Sequence

from training.paper.reproduce.constants import READINGS
from training.protocols.names import place_name
from training.report.adaptation_tables import (
    BASE,
    MUTUAL,
    Gains,
    mutual_gain,
    mutual_mean,
    points,
)
from training.report.cells import Cells
from training.report.load import SELECTIONS, Run
from training.report.published import RERUN, Published
from training.report.wording import NOT_RUN, number, shown, system_name, table

_REVISION = 7
"""Characters of a revision that are printed."""


def in_short(cells: Cells, published: Published, gains: Gains) -> list[str]:
    """EMODB by CPAC, CASIA and EMODB by CAAM: a row per selection."""
    paper = number(published.value("1", "CPAC", "emodb", "WAR")) + " (oracle)"
    rerun = number(published.value(RERUN, "CPAC", "emodb", "WAR")) + " (re-run)"
    caam = [published.value("2", "CAAM", place, "UAR") for place in MUTUAL]
    base = [published.value("4", "Algorithm 4", place, "UAR") for place in MUTUAL]
    rows = []
    for system in READINGS:
        for selection in SELECTIONS:
            cell = cells.cell("paper-10fold", system, "emodb", selection)
            what = f"EMODB, {system_name(system)}, `paper-10fold`, WAR"
            other = paper if selection == "oracle" else rerun
            rows.append([what, selection, other, shown(cell, "WAR")])
    what = "CASIA to EMODB and back, transductive, mean UAR of CAAM"
    for selection in SELECTIONS:
        ours = mutual_mean(cells, "caam", selection)
        other = number(_mean(caam))
        rows.append([what, selection, other, points(ours, signed=False)])
    what = f"the same, gain over {system_name(BASE)}"
    mean, without = _mean(caam), _mean(base)
    gained = f"{mean - without:+.2f}" if mean and without else number(None)
    for selection in SELECTIONS:
        more = mutual_gain(gains, "caam", "transductive", selection)
        rows.append([what, selection, gained, points(more)])
    return table(["What", "Selection", "Published", "Ours"], rows)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def ledger(cells: Cells) -> list[str]:
    """Folds, seeds, hours, machine and revision of all that was run."""
    by_cell: dict[tuple[str, str, str], list[Run]] = {}
    for run in cells.runs:
        by_cell.setdefault((run.protocol, run.system, run.place), []).append(run)
    if not by_cell:
        return [f"All of it: {NOT_RUN}.", ""]
    rows = [
        [
            f"`{protocol}`",
            system_name(system),
            place_name(place),
            str(len(runs)),
            _listed(str(run.seed) for run in runs),
            f"{sum(run.seconds for run in runs) / 3600:.2f}",
            _listed(device for run in runs for device in run.devices),
            _listed(_short(name) for run in runs for name in run.revisions),
        ]
        for (protocol, system, place), runs in by_cell.items()
    ]
    header = ["Protocol", "System", "Corpora", "Folds", "Seeds", "Hours"]
    return table([*header, "Device", "Revision"], rows)


def _short(revision: str) -> str:
    return revision[:_REVISION] + "+" * revision.endswith("+")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))
