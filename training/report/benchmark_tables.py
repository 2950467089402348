"""Tables that the paper does not have: EmoBox, one speaker left out."""

from collections.abc import Sequence

from training.paper.reproduce.constants import BASELINES, JOINT, JOINT_OWN, READINGS
from training.protocols.names import CORPORA, place_name
from training.report.cells import Cell, Cells
from training.report.published import EMOBOX, Published
from training.report.wording import effort, in_order, number, shown, system_name, table

_ALWAYS = (*READINGS, *BASELINES)


def emobox(cells: Cells, published: Published) -> tuple[list[str], list[Cell]]:
    """UAR beside EmoBox's Table 4, then all metrics of ours."""
    systems = in_order([*{*_ALWAYS, JOINT, JOINT_OWN, *cells.systems("emobox")}])
    ours = {
        (system, place): cells.cell("emobox", system, place, "last")
        for system in systems
        for place in CORPORA
    }
    rows = [
        [f"{system_name(system)} (ours)"]
        + [shown(ours[system, place], "UAR") for place in CORPORA]
        for system in systems
    ]
    rows += [
        [f"{method}, frozen (EmoBox Table 4)"]
        + [number(published.value(EMOBOX, method, place, "UAR")) for place in CORPORA]
        for method in published.methods(EMOBOX)
    ]
    lines = table(["UAR, mean over folds", *CORPORA.values()], rows)
    found = [cell for cell in ours.values() if cell is not None]
    return lines + _all_metrics(found), found


def loso(cells: Cells) -> tuple[list[str], list[Cell]]:
    """One speaker left out in turn: the last epoch."""
    systems = in_order([*{*_ALWAYS, *cells.systems("loso")}])
    ours = {
        (system, place): cells.cell("loso", system, place, "last")
        for system in systems
        for place in CORPORA
    }
    rows = [
        [system_name(system)] + [shown(ours[system, place], "UAR") for place in CORPORA]
        for system in systems
    ]
    lines = table(["UAR, mean over speakers", *CORPORA.values()], rows)
    found = [cell for cell in ours.values() if cell is not None]
    return lines + _all_metrics(found), found


def _all_metrics(found: Sequence[Cell]) -> list[str]:
    if not found:
        return []
    return table(
        ["Corpus", "System", "UAR", "WAR", "macro F1", "Seeds, epochs"],
        [
            [
                place_name(cell.place),
                system_name(cell.system),
                shown(cell, "UAR"),
                shown(cell, "WAR"),
                f"{cell.mean('macro_F1'):.2f}",
                effort({cell.selection: cell}),
            ]
            for cell in sorted(found, key=_by_place)
        ],
    )


def _by_place(cell: Cell) -> tuple[int, str]:
    known = list(CORPORA)
    return (known.index(cell.place) if cell.place in known else len(known), cell.place)
