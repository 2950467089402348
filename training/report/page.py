"""All of `results/` -> `docs/results.md`, its figures beside it, and `results.json`."""

import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from ser_stream.errors import SinkError, SourceError
from training.engine.templates import fill
from training.evaluation.bootstrap import N_BOOTSTRAP
from training.paper.reproduce.constants import (
    BASELINES,
    JOINT,
    JOINT_WHISPER,
    READINGS,
)
from training.paper.reproduce.experiment import CLASSICAL
from training.protocols.names import CORPORA, place_name
from training.report import ablation_tables as ablation
from training.report import adaptation_tables as adaptation
from training.report import wording
from training.report.cells import Cells
from training.report.figures import draw_all
from training.report.load import SELECTIONS, load_runs
from training.report.missing import missing_trainings
from training.report.published import EMOBOX, RERUN, Published
from training.report.tables import PAPER_TABLES, planned, quoted, record, rows

_TEMPLATE = Path(__file__).with_name("results.md.j2")
_ALWAYS = {
    "emobox": {"cpac-streaming", *BASELINES, JOINT, JOINT_WHISPER},
    "loso": {"cpac-streaming", *BASELINES},
}
"""Systems that the tables name, run or not."""
_FILTERS = (
    place_name,
    *(wording.system_name, wording.number, wording.estimate, wording.shown),
    *(wording.selected, wording.effort, wording.listed, wording.short),
)
_CONSTANTS = {
    "n_bootstrap": N_BOOTSTRAP,
    "corpora": CORPORA,
    "readings": READINGS,
    "selections": SELECTIONS,
    "rerun": RERUN,
    "emobox": EMOBOX,
    "adaptation": adaptation,
    "not_run": wording.NOT_RUN,
    "one_fit": wording.ONE_FIT,
    "classical": CLASSICAL,
    "planned": planned,
    "means": tuple(adaptation.MEANS),
}


def build(results: Path, out: Path, published: Path) -> list[str]:
    """Write the page `out`, figures in a folder of its name, a JSON beside it.

    Of a hand-written `NAME-notes.md` beside `NAME.md` the first section goes before
    the contents and the others behind them, as they are. Of a folder of results that is
    empty or missing all is *not run*.

    Returns:
        What was done, a few lines to print.

    Raises:
        SourceError: a file in `results` is no result, or `published` is not readable.
        SinkError: the page cannot be written.
    """
    numbers = Published.read(published)
    cells = Cells(load_runs(results))
    summary, notes = _notes(out.with_name(f"{out.stem}-notes.md"))
    numeric = out.with_suffix(".json")
    values = _values(cells, numbers)
    every = _every_number(cells, numbers, values)
    try:
        figures = draw_all(cells, numbers, out.with_suffix(""))
        values |= {
            "summary": summary,
            "notes": notes,
            "figures": figures,
            "folder": out.stem,
        }
        values |= {"json": numeric.name}
        out.parent.mkdir(parents=True, exist_ok=True)
        page = fill(_TEMPLATE, *_FILTERS, **_CONSTANTS, **values)
        out.write_text(page, encoding="utf-8")
        text = json.dumps(every, indent=1, ensure_ascii=False)
        numeric.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(
            f"{error.filename or out}: cannot be written: {error.strerror or error}; "
            "make room, or name another file"
        ) from error
    n_figures = sum(figure["file"] is not None for figure in figures)
    return [
        f"{out}: {len(cells.runs)} finished folds, {len(cells.every)} cells",
        f"{out.with_suffix('')}: {n_figures} of {len(figures)} figures, the rest "
        "not run",
        f"{numeric}: every number of the tables",
    ]


def _every_number(
    cells: Cells, published: Published, values: dict[str, Any]
) -> dict[str, Any]:
    return {
        "schema": 1,
        "cells": [cell.record() for cell in cells.every],
        "tables": {
            spec.name: [record(row) for row in found]
            for spec, found in values["paper"].items()
        },
        "emobox": {
            "ours": [cell.record() for cell in values["last"]["emobox"]],
            "published": [
                {"method": method, "place": place, "metric": metric, "value": value}
                for (name, method, place, metric), value in published.values.items()
                if name == EMOBOX
            ],
        },
        "loso": [cell.record() for cell in values["last"]["loso"]],
        "means": adaptation.mean_records(cells),
        "gains": adaptation.gain_records(values["gains"])
        + adaptation.gain_records(values["own_gains"], adaptation.BOTH)
        + adaptation.gain_records(values["blind_gains"], adaptation.BLIND)
        + adaptation.gain_records(values["caam_gains"], adaptation.CAAM),
        "above_ablations": ablation.records(values["ablations"]),
        "choices": ablation.records(values["choices"]),
        "distances": values["distances"],
        "missing": [asdict(one) for one in values["missing"]],
    }


def _values(cells: Cells, published: Published) -> dict[str, Any]:
    """What the template makes tables of."""
    pairs = [*published.places("2"), *published.places("S3")]
    systems = {
        protocol: wording.in_order(always | cells.systems(protocol))
        for protocol, always in _ALWAYS.items()
    }
    names = ["protocol", "system", "place", "seed", "seconds", "devices", "revisions"]
    runs = pd.DataFrame(
        [[getattr(run, name) for name in names] for run in cells.runs], columns=names
    )
    return {
        "cells": cells,
        "ablations": ablation.above_ablations(cells),
        "choices": ablation.by_choices(cells),
        "quoted": quoted,
        "published": published,
        "pairs": pairs,
        "paper": {spec: rows(spec, cells, published) for spec in PAPER_TABLES},
        "systems": systems,
        "last": {
            protocol: [
                cell
                for system, place in product(of, CORPORA)
                if (cell := cells.cell(protocol, system, place, "last"))
            ]
            for protocol, of in systems.items()
        },
        "gains": adaptation.all_gains(cells, pairs),
        "own_gains": adaptation.all_gains(cells, pairs, adaptation.BOTH),
        "blind_gains": adaptation.all_gains(cells, pairs, adaptation.BLIND),
        "caam_gains": adaptation.all_gains(cells, pairs, adaptation.CAAM),
        "distances": adaptation.distances(cells, pairs),
        "missing": missing_trainings(cells.runs),
        "ledger": runs.groupby(names[:3], sort=False),
    }


def _notes(path: Path) -> tuple[str, str]:
    """The first section, and the others."""
    try:
        text = path.read_text(encoding="utf-8").rstrip()
    except FileNotFoundError:
        return "", ""
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    first, heading, others = text.partition("\n\n## ")
    return first, (heading + others).strip()
