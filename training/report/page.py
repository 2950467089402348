"""All of `results/` -> `docs/results.md`, its figures beside it, and `results.json`."""

import json
from pathlib import Path
from typing import Any

from ser_stream.errors import SinkError, SourceError
from training.evaluation.bootstrap import N_BOOTSTRAP
from training.report.adaptation_tables import (
    all_gains,
    distance_section,
    gain_records,
    gain_section,
    inductive,
    mean_records,
)
from training.report.benchmark_tables import emobox, loso
from training.report.cells import Cells
from training.report.figures import Drawn, draw_all
from training.report.load import load_runs
from training.report.page_head import HEAD
from training.report.published import EMOBOX, Published
from training.report.summary import in_short, ledger
from training.report.tables import PAPER_TABLES, paper_section, rows

_GAIN = """\
Points of UAR over the clips of the folds and seeds that both were run on, pooled; the
interval is of the difference: both systems on the same drawn speakers. Each selection
is compared with the same selection of Algorithm 4.
"""
_REVISIONS = """\
A revision with a + had changes that were not committed yet.
"""
_JOINT = """\
*CPAC, all corpora in one*: `python -m training emobox-joint
training/configs/emobox.toml`. It heard the other corpora, too; the other rows heard
labels of the scored corpus alone. *Then its own*: with `--own-epochs 12`, from that
network on, the scored corpus's training clips alone.
"""
_DISTANCE = """\
Euclidean distance between the means of the same class in two corpora: on raw MFCC (all
frames of clips cut or padded to 3 s) and on the 64-dim features after CAAM's last
epoch; mean over seeds. The two are in different spaces, of different scale, so a
smaller number is no gain by itself.
"""


def build(results: Path, out: Path, published: Path) -> list[str]:
    """Write the page `out`, figures in a folder of its name, a JSON beside it.

    A hand-written `NAME-notes.md` beside `NAME.md` becomes a section as it is.

    Args:
        results: folder of finished folds; empty or missing: all is *not run*.
        out: e.g. `docs/results.md`.
        published: `training/protocols/paper_tables.csv`.

    Returns:
        What was done, a few lines to print.

    Raises:
        SourceError: a file in `results` is no result, or `published` is not readable.
        SinkError: the page cannot be written.
    """
    numbers = Published.read(published)
    cells = Cells(load_runs(results))
    notes = _notes(out.with_name(f"{out.stem}-notes.md"))
    numeric = out.with_suffix(".json")
    try:
        drawn = draw_all(cells, numbers, out.with_suffix(""))
        lines, record = _page(cells, numbers, drawn, notes, out)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
        text = json.dumps(record, indent=1, ensure_ascii=False)
        numeric.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(
            f"{error.filename or out}: cannot be written: {error.strerror or error}; "
            "make room, or name another file"
        ) from error
    n_figures = sum(figure.file is not None for figure in drawn)
    return [
        f"{out}: {len(cells.runs)} finished folds, {len(record['cells'])} cells",
        f"{out.with_suffix('')}: {n_figures} of {len(drawn)} figures, the rest not run",
        f"{numeric}: every number of the tables",
    ]


def _page(
    cells: Cells, published: Published, drawn: list[Drawn], notes: list[str], out: Path
) -> tuple[list[str], dict[str, Any]]:
    """Lines of the page, and what goes into the JSON."""
    pairs = [*published.places("2"), *published.places("S3")]
    gains = all_gains(cells, pairs)
    head = HEAD.format(n_bootstrap=N_BOOTSTRAP, json=f"{out.stem}.json")
    lines = [head, "## In short", "", *in_short(cells, published, gains), *notes]
    lines += ["## The paper's tables", ""]
    made = {spec.name: rows(spec, cells, published) for spec in PAPER_TABLES}
    for spec in PAPER_TABLES:
        lines += paper_section(spec, made[spec.name], published)
    of_emobox, emobox_cells = emobox(cells, published)
    lines += ["## EmoBox folds", "", _command("emobox"), _JOINT, *of_emobox]
    of_loso, loso_cells = loso(cells)
    lines += ["## Speakers never heard", "", _command("loso"), *of_loso]
    lines += ["## Adaptation, looked at closely", "", _command("cross")]
    lines += ["### Clips adapted to, and speakers never adapted to", ""]
    lines += inductive(cells, pairs)
    lines += ["### Gain over Algorithm 4, which does not adapt", "", _GAIN]
    lines += gain_section(gains, pairs)
    of_distances, distances = distance_section(cells, pairs)
    lines += ["### Distance between corpora", "", _DISTANCE, *of_distances]
    lines += ["## Figures", ""]
    lines += [line for figure in drawn for line in figure.markdown(out.stem)]
    lines += ["## What was run", "", _REVISIONS, *ledger(cells)]
    record = {
        "schema": 1,
        "cells": [cell.record() for cell in cells.every()],
        "tables": {name: [row.record() for row in t] for name, t in made.items()},
        "emobox": {
            "ours": [cell.record() for cell in emobox_cells],
            "published": [
                {"method": method, "place": place, "metric": metric, "value": value}
                for (name, method, place, metric), value in published.values.items()
                if name == EMOBOX
            ],
        },
        "loso": [cell.record() for cell in loso_cells],
        "means": mean_records(cells),
        "gains": gain_records(gains),
        "distances": distances,
    }
    return lines, record


def _command(protocol: str) -> str:
    table = "all" if protocol == "cross" else protocol
    return f"`python -m training reproduce {table} --protocol {protocol}`\n"


def _notes(path: Path) -> list[str]:
    """A section written by hand, as it is."""
    try:
        return [path.read_text(encoding="utf-8").rstrip() + "\n"]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
