"""The thresholds that a bundle ships: chosen on streams of speakers never heard."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ser_stream.errors import ConfigError
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.tuning.search import TUNED, Found, Grid, Rule, search
from ser_stream.tuning.streams import Stream
from training.evaluation.streaming.streams import plans
from training.evaluation.streaming.unseen_speakers import (
    unseen_corpora,
    unseen_speakers,
)

SEED = 7
"""Not the benchmark's: it joins the same utterances to other streams."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whose streams thresholds are chosen on, and what they must achieve."""

    model: str
    crossval: Path | None
    """Its folds' held-out speakers; None: none."""
    unseen: tuple[str, ...]
    """Corpora that are not in the model's training, whose speakers count too."""
    corpora: Path
    rule: Rule
    seed: int = SEED


def choose_thresholds(question: Question, *, progress: bool = True) -> dict[str, Any]:
    """Search on streams of speakers who are not in the training of what scores them.

    Returns:
        `thresholds`, `protocol` and the figures, as `python -m export --thresholds`
        reads them.

    Raises:
        ModelError, ConfigError, SourceError: see `unseen_speakers` and
            `unseen_corpora`; ConfigError also if their streams have no speech.
    """
    if question.crossval is None and not question.unseen:
        raise ConfigError("thresholds are searched on --crossval, --unseen or both")
    bundle = load_bundle(question.model)
    torch.set_num_threads(1)
    streams = list(
        tqdm(_streams(question, bundle), "streams", unit="stream", disable=not progress)
    )
    # `uncertain` is the risk-coverage curve's business.
    grid = Grid(uncertain=(bundle.thresholds.uncertain,))
    try:
        found = search(streams, bundle.labels, bundle.thresholds, question.rule, grid)
    except ValueError:
        whose = [
            *question.unseen,
            *([str(question.crossval)] * bool(question.crossval)),
        ]
        raise ConfigError(
            f"there is no speech to search on in {len(streams)} streams of "
            f"{', '.join(whose)}; a stream needs a speaker with audible clips of two "
            f"of {', '.join(bundle.labels)} or more"
        ) from None
    return {
        "thresholds": {
            name: getattr(found.best, name) for name in TUNED if name != "uncertain"
        },
        "protocol": _protocol(question, found, len(streams)),
        "figures": {
            "chosen": found.best_figures.to_dict(),
            "held_out": found.held_out and found.held_out.to_dict(),
            "before": found.present_figures.to_dict(),
        },
    }


def _streams(question: Question, bundle: Bundle) -> Iterator[Stream]:
    groups = unseen_corpora(bundle, question.corpora, question.unseen)
    if question.crossval is not None:
        groups += unseen_speakers(question.crossval, bundle, question.corpora)
    for group in groups:
        planned = plans(group.utterances, question.seed)
        for plan, joined, recorded in group.streams(planned, bundle):
            yield Stream(
                recorded.predictions, joined.segments, f"{group.name}/{plan.speaker}"
            )


def _protocol(question: Question, found: Found, n_streams: int) -> str:
    rule = question.rule
    whose = f", of {', '.join(question.unseen)} too" if question.unseen else ""
    if question.crossval is None:
        whose = f" of {', '.join(question.unseen)}"
    met = "meets" if found.satisfied else "does not meet"
    return (
        f"searched on {n_streams} streams of held-out speakers{whose} (seed "
        f"{question.seed}, not the benchmark's), each judged by a network that did not "
        "hear them: of "
        f"{found.tried} settings tried, among those that keep an emotion for "
        f"{rule.min_coverage:.0%} of speech with at most {rule.max_flips:g} flips a "
        "minute, the one of the largest recall of time; what was found "
        f"{met} that. The same speakers are joined to other streams in the benchmark, "
        "so it flatters"
    )
