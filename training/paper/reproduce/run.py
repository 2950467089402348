"""The paper's tables: what is missing is computed, on all cores."""

import os
from collections.abc import Sequence

from training.engine.fit import pick_device
from training.engine.run_experiments import Say, missing, run_experiments
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.workspace import Workspace


def reproduce(
    experiments: Sequence[PaperExperiment],
    space: Workspace,
    *,
    jobs: int = 0,
    say: Say = lambda text: None,
) -> list[str]:
    """Compute the results that are not there yet, in order.

    Args:
        experiments: the most telling first.
        space: where everything lies.
        jobs: processes; 0: one for each core, or one if there is a GPU.
        say: told a line for each experiment that is finished or fails.

    Returns:
        One line for each that failed; the others were computed all the same.

    Raises:
        SerStreamError: before anything is computed, if a corpus is missing or results
            of another configuration are in the way.
    """
    # A corpus that is absent is found now and not after an hour.
    for one in missing(experiments, space):
        space.data(one)
    n_cores = os.cpu_count() or 1
    jobs = jobs or (1 if pick_device(space.device).type == "cuda" else n_cores)
    threads = max(1, n_cores // jobs)
    return run_experiments(experiments, space, jobs=jobs, threads=threads, say=say)
