"""Tables about adaptation: unseen speakers, gain over Algorithm 4, distances."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ser_stream.errors import SourceError
from training.evaluation.bootstrap import Interval
from training.protocols.names import place_name
from training.report.cells import Cell, Cells, n_expected
from training.report.load import SELECTIONS
from training.report.significance import (
    Estimate,
    counts_of,
    gain,
    mean_estimate,
)
from training.report.tables import by_selection
from training.report.wording import (
    NONE_PUBLISHED,
    NOT_RUN,
    bounds,
    selected,
    system_name,
    table,
)

ADAPTED = ("caam", "dann", "cdan", "nmftsl")
BASE = "algorithm-4"
MUTUAL = ("casia-emodb", "emodb-casia")
"""The two pairs that were run first, and of which a mean is given."""
PAPER_RAW, PAPER_ADAPTED = "2286.44", {"casia-emodb": "19.87", "emodb-casia": "20.53"}
"""Mean distance between same-class means of CASIA and EMODB (caption of Fig. S4)."""
_SPACES = ("raw MFCC", "after CAAM")


def inductive(cells: Cells, places: Sequence[str]) -> list[str]:
    """UAR on the clips adapted to, beside that on speakers never adapted to."""
    parts = ("transductive", "inductive")
    rows = []
    for place in places:
        for system in (BASE, *ADAPTED):
            if system in (BASE, "caam") or cells.select("cross", system, place):
                by_part = [
                    by_selection(cells, "cross", system, place, p) for p in parts
                ]
                texts = [text for chosen in by_part for text in selected(chosen, "UAR")]
                rows.append([place_name(place), system_name(system), *texts])
    header = [f"{part}: {selection}" for part in parts for selection in SELECTIONS]
    return table(["UAR", "System", *header], rows)


Gains = dict[tuple[str, str, str, str], Estimate]
"""By place, system, part and selection."""


def all_gains(cells: Cells, places: Sequence[str]) -> Gains:
    """UAR of each adaptation method less that of Algorithm 4, where both were run."""
    gains: Gains = {}
    for i, place in enumerate(places):
        for system in ADAPTED:
            for part in ("transductive", "inductive"):
                for selection in SELECTIONS:
                    pair = [
                        cells.cell("cross", s, place, selection, part)
                        for s in (system, BASE)
                    ]
                    # Other speakers in each pair, so other draws.
                    found = _gain(pair[0], pair[1], seed=i)
                    if found is not None:
                        gains[place, system, part, selection] = found
    return gains


def _gain(better: Cell | None, base: Cell | None, seed: int) -> Estimate | None:
    if better is None or base is None:
        return None
    ours, theirs = ({(f, n): s for f, n, s in c.scored} for c in (better, base))
    both = sorted(ours.keys() & theirs.keys())
    if not both:
        return None
    n_seeds = len({n for _, n in both})
    try:
        return gain(
            [ours[k] for k in both],
            [theirs[k] for k in both],
            "UAR",
            n_expected=n_seeds * n_expected("cross", better.place, better.part),
            seed=seed,
        )
    except ValueError as error:
        raise SourceError(
            f"results of {better.system} and {base.system} on {better.place}, "
            f"{better.part}: {error}; delete the older ones and run them again"
        ) from error


def mutual_mean(cells: Cells, system: str, selection: str) -> Estimate | None:
    """Transductive UAR itself, mean over CASIA to EMODB and back."""
    found = [
        cells.cell("cross", system, place, selection, "transductive")
        for place in MUTUAL
    ]
    means = []
    for i, cell in enumerate(found):
        if cell is None:
            return None
        counts = counts_of(cell.folds)
        draws, n = counts.draws("UAR", seed=i), len(counts.speakers)
        done = len(cell.scored), cell.n_expected
        means.append(Estimate(cell.mean("UAR"), draws, n, *done))
    return mean_estimate(means)


def mutual_gain(
    gains: Gains, system: str, part: str, selection: str
) -> Estimate | None:
    """Mean over CASIA to EMODB and back; None unless both were run."""
    both = [gains.get((place, system, part, selection)) for place in MUTUAL]
    found = [g for g in both if g is not None]
    return mean_estimate(found) if len(found) == len(MUTUAL) else None


def gain_section(gains: Gains, places: Sequence[str]) -> list[str]:
    """Percentage points of UAR, with paired intervals; all pairs of CAAM."""
    rows = []
    for part in ("transductive", "inductive"):
        for system in ADAPTED:
            for place in (*places, "mutual"):
                found = [
                    mutual_gain(gains, system, part, selection)
                    if place == "mutual"
                    else gains.get((place, system, part, selection))
                    for selection in SELECTIONS
                ]
                if system != "caam" and not any(found):
                    continue
                name = (
                    "mean of CASIA to EMODB and back"
                    if place == "mutual"
                    else place_name(place)
                )
                rows.append([name, system_name(system), part, *map(points, found)])
    return table(["UAR, points", "System", "Scored", *SELECTIONS], rows)


def points(found: Estimate | None, *, signed: bool = True) -> str:
    """A difference, or a metric, with its interval."""
    if found is None:
        return NOT_RUN
    value = f"{found.points:{'+' if signed else ''}.2f}"
    text = f"{value} {bounds(found.interval, signed=signed)}"
    if found.n_folds < found.n_expected:
        text += f"; {found.n_folds} of {found.n_expected} folds"
    return text


def gain_records(gains: Gains) -> list[dict[str, Any]]:
    """For `results.json`."""
    records = [
        _gain_record(found, place, system, part, selection)
        for (place, system, part, selection), found in gains.items()
    ]
    for system in ADAPTED:
        for part in ("transductive", "inductive"):
            for selection in SELECTIONS:
                mean = mutual_gain(gains, system, part, selection)
                if mean is not None:
                    records.append(
                        _gain_record(mean, "+".join(MUTUAL), system, part, selection)
                    )
    return records


def mean_records(cells: Cells) -> list[dict[str, Any]]:
    """Of `mutual_mean`, for `results.json`."""
    means = {
        (system, selection): mutual_mean(cells, system, selection)
        for system in (BASE, *ADAPTED)
        for selection in SELECTIONS
    }
    return [
        {
            "places": list(MUTUAL),
            "system": system,
            "selection": selection,
            "part": "transductive",
            "metric": "UAR",
            "mean": round(found.points, 2),
            "interval": _rounded(found.interval),
        }
        for (system, selection), found in means.items()
        if found is not None
    ]


def _rounded(interval: Interval | None) -> list[float] | None:
    return [round(interval.low, 2), round(interval.high, 2)] if interval else None


def _gain_record(
    found: Estimate, place: str, system: str, part: str, selection: str
) -> dict[str, Any]:
    return {
        "place": place,
        "system": system,
        "over": BASE,
        "part": part,
        "selection": selection,
        "metric": "UAR",
        "folds": found.n_folds,
        "folds_expected": found.n_expected,
        "points": round(found.points, 2),
        "interval": _rounded(found.interval),
    }


def distance_section(
    cells: Cells, places: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """Between same-class means of two corpora, mean over seeds, beside the paper's."""
    made, records = [], {}
    for place in places:
        runs = cells.select("cross", "caam", place, "transductive")
        record = _mean_distances([run.distances for run in runs if run.distances])
        published = [NONE_PUBLISHED] * 2
        if place in PAPER_ADAPTED:
            published = [PAPER_RAW, PAPER_ADAPTED[place]]
        if record is None:
            made.append([place_name(place), "mean", NOT_RUN, NOT_RUN, *published])
            continue
        records[place] = record
        for label, before in record["before"].items():
            ours = [f"{before:.2f}", f"{record['after'][label]:.2f}"]
            other = published if label == "mean" else [NONE_PUBLISHED] * 2
            made.append([place_name(place), label, *ours, *other])
    spaces = [f"{what}: {whose}" for whose in ("ours", "paper") for what in _SPACES]
    return table(["Corpora", "Class", *spaces], made), records


def _mean_distances(
    found: Sequence[dict[str, dict[str, float]]],
) -> dict[str, dict[str, float]] | None:
    if not found:
        return None
    return {
        when: {
            label: round(float(np.mean([d[when][label] for d in found])), 2)
            for label in found[0][when]
            if all(label in d[when] for d in found)
        }
        for when in ("before", "after")
    }
