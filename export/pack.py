"""Checkpoint and bundle -> the bundle's adaptation pack, with speakers held out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from export.corpora import described
from ser_stream.adaptation.pack import FOLDER, WEIGHTS, Pack
from ser_stream.errors import ModelError, SourceError
from ser_stream.pipeline.bundle import Bundle, load_bundle
from training.corpora import Utterance, load_corpora
from training.engine.checkpoint import load_checkpoint
from training.engine.git_revision import git_revision
from training.recipe.adaptation_pack import write_pack
from training.recipe.config import TrainConfig
from training.recipe.dataset import TrainingSet, taught
from training.recipe.model import build_model

HELD_OUT = 8
"""One speaker in so many of each corpus is kept for the canary, but two at least."""


def export_pack(
    checkpoint: Path,
    folder: Path,
    corpora: Path,
    out: Path | None = None,
    hold_out: int | None = None,
    cache: Path = Path("runs/spectra"),
) -> Pack:
    """Write the pack of a bundle that was exported from a checkpoint.

    Args:
        checkpoint: of `python -m training train`.
        folder: of the bundle.
        corpora: folder with the corpora that the checkpoint names.
        out: folder to write; by default `adaptation` inside the bundle.
        hold_out: speakers of each corpus for the canary part, instead of an eighth.
        cache: folder in which the spectra of clips are kept.

    Raises:
        ModelError: if the bundle is of another checkpoint.
        SourceError: if a corpus is absent, or has too few speakers.
    """
    saved = load_checkpoint(checkpoint)
    model, config = build_model(saved)
    bundle = load_bundle(str(folder))
    if (config.labels, config.front_end) != (bundle.labels, bundle.front_end):
        raise ModelError(
            f"{folder} was not exported from {checkpoint}: labels or front end differ"
        )
    trained_on = set(saved["speakers"])
    # What has no labels is in neither part.
    labelled = tuple(c for c in config.corpora if not c.unlabelled)
    config = replace(config, corpora=labelled)
    # A speaker of other classes alone can be in neither part.
    utterances = taught(load_corpora(corpora, [c.name for c in labelled]), config)
    canary = [
        speaker
        for corpus in labelled
        for speaker in canary_speakers(utterances, corpus.name, trained_on, hold_out)
    ]
    option = "" if hold_out is None else f" --hold-out {hold_out}"
    command = f"python -m export adaptation-pack CHECKPOINT BUNDLE{option}"
    return write_pack(
        model,
        bundle,
        TrainingSet(
            [
                u
                for u in utterances
                if u.person in trained_on and u.person not in canary
            ],
            config,
            # Synthetic noise alone: recordings have licences of their own.
            (),
            cache,
            progress=True,
        ),
        [u for u in utterances if u.person in canary],
        out or bundle.folder / FOLDER,
        about={
            **_licences(config, bundle),
            "canary_heard_in_training": bool(trained_on.intersection(canary)),
            "made_by": command,
            "revision": git_revision(),
        },
        progress=True,
    )


def canary_speakers(
    utterances: Sequence[Utterance],
    corpus: str,
    trained_on: set[str],
    hold_out: int | None = None,
) -> list[str]:
    """The speakers of a pack's canary part, as `corpus/speaker`.

    Those that the network was not trained on; where it was trained on all, some of
    them, evenly from women and men. None of a corpus that names no speaker.

    Args:
        utterances: of any corpora.
        corpus: whose speakers to choose from.
        trained_on: speakers in the network's training, as `corpus/speaker`.
        hold_out: how many of them to choose; by default one in eight, two at least.

    Raises:
        SourceError: if no speaker is left to be the source.
    """
    of_corpus = [u for u in utterances if u.corpus == corpus]
    sex = {u.person: u.sex for u in of_corpus if u.named}
    if of_corpus and not sex:
        return []
    unseen = sorted(sex.keys() - trained_on)
    if unseen and len(unseen) < len(sex):
        return unseen
    n = max(2, round(len(sex) / HELD_OUT)) if hold_out is None else hold_out
    if not 1 <= n < len(sex):
        raise SourceError(
            f"{corpus} has {len(sex)} speakers, and {n} of them cannot be held out: "
            "at least one must be left, and one held out; see --hold-out"
        )
    order = sorted(sex, key=lambda speaker: (sex[speaker], speaker))
    return [order[i * len(order) // n] for i in range(n)]


def _licences(config: TrainConfig, bundle: Bundle) -> dict[str, object]:
    """Weights are the bundle's; windows are an extract of their corpus."""
    corpora = described(config)
    windows = {corpus["folder"]: corpus["licence"] for corpus in corpora}
    return {
        "licence": {WEIGHTS: bundle.licence, "windows": windows},
        "corpora": corpora,
    }
