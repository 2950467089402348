"""All finished cells -> the figures that are claimed: `summary.json`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.engine.result_store import Result
from training.evaluation.adaptation.result_file import read_all
from training.evaluation.adaptation.score import change
from training.evaluation.adaptation.settings import CORPORA, PAIRS
from training.evaluation.bootstrap import Counts, Draws, of_draws

METHODS = ("adapt", "caam", "adabn")
MOST_CPU_S = 180.0
MOST_RSS_MB = 700.0
"""What a round may cost."""
UNCERTAINTY = (
    "95 % bootstrap intervals over speakers as clusters, 2000 draws; UAR before and "
    "after on the same draws; seeds averaged; of a mean over pairs: target speakers "
    "drawn within each corpus, the same for all pairs of that target"
)


def summarise(folder: Path) -> Result:
    """Of everything below the folder of results that is finished."""
    cells = read_all(folder / "gains")
    attacks = read_all(folder / "attacks")
    result: Result = {
        "intervals": UNCERTAINTY,
        "revisions": sorted({cell["revision"] for cell in [*cells, *attacks]}),
        "cells": len(cells),
    }
    if cells:
        result |= gains(cells)
        result["source"] = source_loss(cells)
    if attacks:
        told = ("audio_s", "speech_s", "rounds_by_verdict", "harm", "caught")
        result["attacks"] = {
            cell["attack"]: {key: cell[key] for key in told if key in cell}
            for cell in attacks
        }
    result["cost"] = {
        **cost([*cells, *attacks]),
        **latency(read_all(folder / "cost")),
    }
    return result


def gains(cells: Sequence[Result]) -> Result:
    """UAR gain on people never heard, by pair and of all, by method."""
    by_pair: dict[str, list[Result]] = defaultdict(list)
    for cell in cells:
        protocol = cell["protocol"]
        by_pair[f"{protocol['source']}-{protocol['target']}"].append(cell)
    pairs: dict[str, Result] = {}
    draws: dict[str, dict[str, Draws]] = defaultdict(dict)
    for pair in sorted(by_pair, key=PAIRS.index):
        runs = _runs(by_pair[pair])
        pairs[pair] = {
            "seeds": sorted(runs),
            "complete": all(len(halves) == 2 for halves in runs.values()),
        }
        # Corpora of as many speakers must not draw alike, nor pairs of one target
        # differently.
        seed = CORPORA.index(pair.split("-")[1])
        for method in METHODS:
            if not all(method in c["target"]["predicted"] for c in by_pair[pair]):
                continue
            before = [_counts(halves, "before") for halves in runs.values()]
            after = [_counts(halves, method) for halves in runs.values()]
            draws[method][pair] = change(before, after, seed)
            pairs[pair][method] = {
                "n": int(sum(run.total.sum() for run in before)),
                "n_speakers": len(before[0].speakers),
                "UAR_before": _mean(run.value("UAR") for run in before),
                "UAR_after": _mean(run.value("UAR") for run in after),
                **_with_interval(
                    _mean(run.value("UAR") for run in after)
                    - _mean(run.value("UAR") for run in before),
                    draws[method][pair],
                    len(before[0].speakers),
                ),
            }
    result: Result = {"pairs": pairs}
    for method in METHODS:
        of_pairs = [pairs[p][method]["gain"] for p in pairs if method in pairs[p]]
        if of_pairs:
            result[method] = {
                "pairs": len(of_pairs),
                **_with_interval(
                    float(np.mean(of_pairs)),
                    np.mean(list(draws[method].values()), axis=0),
                    sum(pairs[p][method]["n_speakers"] for p in draws[method]),
                ),
            }
    result["mean_gain"] = result["adapt"]["gain"]
    result["mean_gain_interval"] = result["adapt"]["gain_interval"]
    lows = [
        pairs[p]["adapt"]["gain_interval"][0]
        for p in pairs
        if pairs[p].get("adapt", {}).get("gain_interval")
    ]
    result["lowest_bound_of_a_pair"] = min(lows, default=None)
    if "caam" in result and (result["caam"]["gain_interval"] or [0])[0] > 0:
        # A share of what may be nothing would say nothing.
        share = result["mean_gain"] / result["caam"]["gain"]
        result["share_of_caam"] = round(share, 2)
    return result


def source_loss(cells: Sequence[Result]) -> Result:
    """UAR that adaptation costs on source speakers held out, points.

    Each source network has one or two such speakers: there is no interval over
    speakers of a cell, so the spread over cells is shown.
    """
    losses: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        for method, found in cell["source"]["methods"].items():
            losses[method].append(-found["gain"])
    return {
        method: {
            "cells": len(of_cells),
            "mean_loss": round(float(np.mean(of_cells)), 2),
            "standard_error": (
                round(float(np.std(of_cells, ddof=1) / np.sqrt(len(of_cells))), 2)
                if len(of_cells) > 1
                else None
            ),
            "worst_loss": round(max(of_cells), 2),
        }
        for method, of_cells in losses.items()
    }


def cost(cells: Iterable[Result]) -> Result:
    """What rounds cost, whatever became of them."""
    evidence = [entry["evidence"] for cell in cells for entry in cell.get("rounds", ())]
    result: Result = {"rounds": len(evidence)}
    for key, most in (("cpu_s", MOST_CPU_S), ("peak_rss_mb", MOST_RSS_MB)):
        values = [float(e[key]) for e in evidence if e.get(key) is not None]
        if values:
            result[key] = {
                "median": round(float(np.median(values)), 1),
                "most": round(max(values), 1),
                "allowed": most,
                "n": len(values),
            }
    return result


def latency(live: Iterable[Result]) -> Result:
    """What `--adapt` does to a live daemon: the 99th percentile against that without.

    Empty unless both were run.
    """
    by_kind = {cell["protocol"]["adapt"]: cell for cell in live}
    if len(by_kind) < 2:
        return {}
    p99 = {adapt: cell["latency_ms_p99"] for adapt, cell in by_kind.items()}
    return {
        "latency_p99_ratio": round(p99[True] / p99[False], 2),
        "steps_skipped": by_kind[True]["steps_skipped"],
    }


def _runs(cells: Sequence[Result]) -> dict[int, list[Result]]:
    runs: dict[int, list[Result]] = defaultdict(list)
    for cell in cells:
        runs[cell["protocol"]["seed"]].append(cell)
    return dict(sorted(runs.items()))


def _counts(halves: Sequence[Result], method: str) -> Counts:
    """Of the clips of all halves that are there: each clip once."""

    def every(part: Callable[[Result], Sequence[Any]]) -> list[Any]:
        return [value for half in halves for value in part(half["target"])]

    return Counts.of(
        every(lambda target: target["truth"]),
        every(lambda target: target["predicted"][method]),
        every(lambda target: target["speaker"]),
        len(halves[0]["labels"]),
    )


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 2)


def _with_interval(gain: float, draws: Draws, n_speakers: int) -> Result:
    found = of_draws(draws, n_speakers)
    return {
        "gain": round(gain, 2),
        "gain_interval": (
            None if found is None else [round(found.low, 2), round(found.high, 2)]
        ),
    }
