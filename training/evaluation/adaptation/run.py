"""The whole evaluation: what is missing is computed, the rest is read."""

from collections.abc import Sequence

import torch

from training.engine.experiment import Experiment
from training.engine.result_store import Result, write_json
from training.engine.run_experiments import Say, missing, run_experiments
from training.evaluation.adaptation.attacks import all_attacks
from training.evaluation.adaptation.collapse import Collapse
from training.evaluation.adaptation.gains import all_gains
from training.evaluation.adaptation.live import all_live
from training.evaluation.adaptation.settings import AdaptEvalConfig
from training.evaluation.adaptation.source_bundle import prepare
from training.evaluation.adaptation.summary import summarise

SUMMARY = "summary.json"


def run(settings: AdaptEvalConfig, say: Say) -> tuple[Result, list[str]]:
    """Compute what is asked for, then the summary of all that is there.

    Returns:
        What `summary.json` now holds, and a line for each experiment that failed.

    Raises:
        ConfigError: if results of another protocol are in the way.
        SourceError: if a corpus is not there.
    """
    failed: list[str] = []
    todo: list[tuple[Sequence[Experiment[AdaptEvalConfig]], int]] = []
    torch.set_num_threads(1)
    if "gains" in settings.only:
        gains = all_gains(settings)
        # One after the other: several experiments begin from the same network.
        for corpus, seed in dict.fromkeys(
            (one.source, one.seed) for one in missing(gains, settings)
        ):
            found = prepare(corpus, seed, settings.corpora, settings.out)
            say(f"{found.bundle.name}: bundle {found.bundle.sha256[:12]}")
        todo.append((gains, settings.jobs))
    if "attacks" in settings.only:
        todo.append(([Collapse(), *all_attacks()], settings.jobs))
    if "cost" in settings.only:
        # By themselves, or they would measure each other.
        todo.append((all_live(), 1))
    for experiments, jobs in todo:
        failed += run_experiments(
            experiments, settings, jobs=jobs, progress=None, say=say
        )
    result = summarise(settings.folder)
    write_json(settings.folder / SUMMARY, result)
    return result, failed
