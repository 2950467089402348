"""One system less another, over the folds and seeds that both were run on."""

from dataclasses import replace

from ser_stream.errors import SourceError
from training.evaluation.bootstrap import SEED
from training.report.cells import Cell, n_expected
from training.report.significance import Estimate, gain


def paired(
    better: Cell | None, base: Cell | None, metric: str, seed: int = SEED
) -> Estimate | None:
    """Points of `metric` over the pooled clips; None where they share no fold.

    Args:
        better: what it is a gain of; at the same place, selection and part as
        base: what it is a gain over.
        metric: `UAR` or `WAR`.
        seed: of the bootstrap draws.

    Raises:
        SourceError: if they were not scored on the same clips.
    """
    if better is None or base is None:
        return None
    both = better.scores.merge(base.scores, on=["fold", "seed"])
    if both.empty:
        return None
    n_folds = n_expected(better.protocol, better.place, better.part)
    try:
        found = gain(
            both["scored_x"].to_list(),
            both["scored_y"].to_list(),
            metric,
            n_expected=both["seed"].nunique() * n_folds,
            seed=seed,
        )
    except ValueError as error:
        where = f"{better.place}, {better.part}" if better.part else better.place
        raise SourceError(
            f"results of {better.system} and {base.system} on {where}: {error}; "
            "delete the older ones and run them again"
        ) from error
    if better.protocol != "cross" or better.one_fit or base.one_fit:
        return found
    starts = both["source_network_x"], both["source_network_y"]
    alike = bool(((starts[0] == starts[1]) & (starts[0] != "")).all())
    return replace(found, one_start=alike)
