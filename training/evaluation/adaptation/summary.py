"""All finished results -> the figures that are claimed: `summary.json`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.engine.result_store import Result
from training.evaluation.adaptation.score import change
from training.evaluation.adaptation.settings import CORPORA, PAIRS, read_all
from training.evaluation.bootstrap import Counts, Draws, of_draws, rounded

METHODS = {"adapt": "the daemon", "caam": "offline CAAM", "adabn": "AdaBN"}
ALLOWED = {"cpu_s": 180.0, "peak_rss_mb": 700.0}
"""What a round may cost."""
PHASES = ("accepted", "rejected", "failed", "rolled_back")
UNCERTAINTY = (
    "95 % bootstrap intervals over speakers as clusters, 2000 draws; UAR before and "
    "after on the same draws; seeds averaged; of a mean over pairs: target speakers "
    "drawn within each corpus, the same for all pairs of that target"
)


def summarise(folder: Path) -> Result:
    """Of everything below the folder of results that is finished."""
    results = read_all(folder / "gains")
    attacks = read_all(folder / "attacks")
    summary: Result = {
        "intervals": UNCERTAINTY,
        "revisions": sorted({result["revision"] for result in [*results, *attacks]}),
        "cells": len(results),
    }
    if results:
        summary |= gains(results)
        summary["source"] = source_loss(results)
    if attacks:
        told = ("audio_s", "speech_s", "rounds_by_verdict", "harm", "caught")
        summary["attacks"] = {
            result["attack"]: {key: result[key] for key in told if key in result}
            for result in attacks
        }
    summary["cost"] = {
        **cost([*results, *attacks]),
        **latency(read_all(folder / "cost")),
    }
    return summary


def gains(results: Sequence[Result]) -> Result:
    """UAR gain on new speakers, by pair and of all, by method."""
    clips = pd.concat([_clips(result) for result in results])
    n_classes = len(results[0]["labels"])
    pairs: dict[str, Result] = {}
    draws: dict[str, dict[str, Draws]] = {method: {} for method in METHODS}
    for pair in PAIRS:
        of = clips[clips["pair"] == pair]
        if of.empty:
            continue
        halves = of.groupby("seed")["half"].nunique()
        pairs[pair] = {
            "seeds": halves.index.to_list(),
            "complete": bool((halves == 2).all()),
        }
        # Corpora of as many speakers must not draw alike, nor pairs of one target
        # differently.
        seed = CORPORA.index(pair.split("-")[1])
        for method in METHODS:
            if method not in of or of[method].isna().any():
                continue
            before, after = (
                [
                    # Of the clips of all halves that are there: each clip once.
                    Counts.of(run["truth"], run[said], run["speaker"], n_classes)
                    for _, run in of.groupby("seed")
                ]
                for said in ("before", method)
            )
            draws[method][pair] = change(before, after, seed)
            was, now = (
                round(float(np.mean([run.value("UAR") for run in runs])), 2)
                for runs in (before, after)
            )
            n = len(before[0].speakers)
            pairs[pair][method] = {
                "n": len(of),
                "n_speakers": n,
                "UAR_before": was,
                "UAR_after": now,
                **_with_interval(now - was, draws[method][pair], n),
            }
    result: Result = {"pairs": pairs}
    for method, of_pairs in draws.items():
        if of_pairs:
            found = [pairs[pair][method] for pair in of_pairs]
            result[method] = {
                "pairs": len(found),
                **_with_interval(
                    float(np.mean([one["gain"] for one in found])),
                    np.mean(list(of_pairs.values()), axis=0),
                    sum(one["n_speakers"] for one in found),
                ),
            }
    result["mean_gain"] = result["adapt"]["gain"]
    result["mean_gain_interval"] = result["adapt"]["gain_interval"]
    bounds = [pairs[pair]["adapt"]["gain_interval"] for pair in draws["adapt"]]
    result["lowest_bound_of_a_pair"] = min((b[0] for b in bounds if b), default=None)
    if "caam" in result and (result["caam"]["gain_interval"] or [0])[0] > 0:
        # A share of what may be nothing would say nothing.
        share = result["mean_gain"] / result["caam"]["gain"]
        result["share_of_caam"] = round(share, 2)
    return result


def _clips(result: Result) -> pd.DataFrame:
    """A row for each clip that was scored: speaker, class, the class by each method."""
    protocol, target = result["protocol"], result["target"]
    said = {key: target[key] for key in ("truth", "speaker")} | target["predicted"]
    return pd.DataFrame(said).assign(
        pair=f"{protocol['source']}-{protocol['target']}",
        seed=protocol["seed"],
        half=protocol["half"],
    )


def source_loss(results: Sequence[Result]) -> Result:
    """UAR that adaptation costs on source speakers held out, points.

    Each source network has one or two such speakers: there is no interval over
    speakers of an experiment, so the spread over experiments is shown.
    """
    gains = pd.DataFrame(
        [
            {method: found["gain"] for method, found in c["source"]["methods"].items()}
            for c in results
        ]
    )
    return {
        method: {
            "cells": int(of.count()),
            "mean_loss": round(float(of.mean()), 2),
            "standard_error": round(float(of.sem()), 2) if of.count() > 1 else None,
            "worst_loss": round(float(of.max()), 2),
        }
        for method, of in (-gains).items()
    }


def verdicts(history: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many rounds there were of each kind.

    A round that led to nothing because its worker crashed, was killed or had too little
    to learn from is stored as rejected, but was never measured: `failed`.
    """
    counts = Counter(
        "failed"
        if entry["phase"] == "rejected" and not entry.get("evidence")
        else entry["phase"]
        for entry in history
    )
    return {phase: counts[phase] for phase in PHASES}


def cost(results: Iterable[Result]) -> Result:
    evidence = [
        entry["evidence"] for result in results for entry in result.get("rounds", ())
    ]
    result: Result = {"rounds": len(evidence)}
    for key, values in pd.DataFrame(evidence, columns=list(ALLOWED)).items():
        if values.count():
            result[key] = {
                "median": round(float(values.median()), 1),
                "most": round(float(values.max()), 1),
                "allowed": ALLOWED[key],
                "n": int(values.count()),
            }
    return result


def latency(live: Iterable[Result]) -> Result:
    """What `--adapt` does to a live daemon: the 99th percentile against that without.

    Empty unless both were run.
    """
    by_kind = {result["protocol"]["adapt"]: result for result in live}
    if len(by_kind) < 2:
        return {}
    p99 = {adapt: result["latency_ms_p99"] for adapt, result in by_kind.items()}
    return {
        "latency_p99_ratio": round(p99[True] / p99[False], 2),
        "steps_skipped": by_kind[True]["steps_skipped"],
    }


def _with_interval(gain: float, draws: Draws, n_speakers: int) -> Result:
    bounds = rounded(of_draws(draws, n_speakers))
    return {"gain": round(gain, 2), "gain_interval": bounds}
