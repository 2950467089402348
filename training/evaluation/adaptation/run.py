"""The whole evaluation: what is missing is computed, the rest is read."""

import json
from pathlib import Path

import torch

from ser_stream.atomic_file import replace_file
from training.evaluation.adaptation.attacks import all_attacks
from training.evaluation.adaptation.cells import Failure, Say, compute
from training.evaluation.adaptation.collapse import Collapse
from training.evaluation.adaptation.gains import all_gains
from training.evaluation.adaptation.live import all_live
from training.evaluation.adaptation.result_file import Result
from training.evaluation.adaptation.settings import AdaptEvalConfig
from training.evaluation.adaptation.source_bundle import prepare
from training.evaluation.adaptation.summary import summarise

SUMMARY = "summary.json"


def run(settings: AdaptEvalConfig, say: Say) -> tuple[Result, list[Failure]]:
    """Compute what is asked for, then the summary of all that is there.

    Returns:
        What `summary.json` now holds, and the cells that failed.

    Raises:
        ConfigError: if results of another protocol are in the way.
        SourceError: if a corpus is not there.
    """
    failures: list[Failure] = []
    if "gains" in settings.only:
        cells = all_gains(settings)
        torch.set_num_threads(1)
        # One after the other: several cells begin from the same network.
        for corpus, seed in dict.fromkeys((c.source, c.seed) for c in cells):
            found = prepare(corpus, seed, settings.corpora, settings.out)
            say(f"{found.bundle.name}: bundle {found.bundle.sha256[:12]}")
        failures += compute(cells, settings, say)
    if "attacks" in settings.only:
        failures += compute([Collapse(), *all_attacks()], settings, say)
    if "cost" in settings.only:
        # By themselves, or they would measure each other.
        failures += compute(all_live(), settings, say, jobs=1)
    result = summarise(settings.folder)
    write_summary(settings.folder / SUMMARY, result)
    return result, failures


def write_summary(path: Path, result: Result) -> None:
    """Write it whole or not at all."""
    replace_file(path, json.dumps(result, indent=1) + "\n")
