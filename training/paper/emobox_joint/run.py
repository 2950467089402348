"""Joint folds -> results/emobox/cpac-joint/CORPUS/fold-K-seed-S.json; resumable.

`own_epochs` goes on from the joint network for some epochs on the training clips of the
scored corpus alone, one network for each; results under `cpac-joint-own`.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.engine.checkpoint import load_checkpoint
from training.engine.fit import pick_device
from training.engine.git_revision import git_revision
from training.paper.emobox_joint.clip_decision import DECISION, clip_logits, decide
from training.paper.emobox_joint.folds import JointFold, classes, joint_folds
from training.paper.reproduce.cells import Cell
from training.paper.reproduce.constants import JOINT, JOINT_OWN
from training.paper.reproduce.result_file import (
    SCHEMA,
    check_same,
    read_result,
    scores,
    versions,
    write_result,
)
from training.paper.reproduce.workspace import locked
from training.recipe.config import TrainConfig
from training.recipe.model import build_model
from training.recipe.train import train


@dataclass(frozen=True)
class JointRun:
    """Where one command reads and writes, and what it computes."""

    config: TrainConfig
    classes: Mapping[str, tuple[str, ...]]
    """Emotions of each scored corpus."""
    out: Path
    results: Path
    device: str
    own_epochs: int = 0
    revision: str = field(default_factory=git_revision)

    @property
    def system(self) -> str:
        """As files of results and their page have it."""
        return JOINT_OWN if self.own_epochs else JOINT

    def path(self, fold: JointFold, corpus: str) -> Path:
        """The file of one corpus's result."""
        cell = Cell("emobox", self.system, corpus, fold.name, self.config.seed)
        return self.results / cell.path

    def missing(self, fold: JointFold) -> list[str]:
        """Corpora of the fold that have no result yet.

        Raises:
            ConfigError: if a result of another configuration is in the way.
        """
        for corpus in fold.test:
            if self.path(fold, corpus).exists():
                check_same(self.path(fold, corpus), described(fold, self, corpus))
        return [c for c in fold.test if not self.path(fold, c).exists()]


def run(
    utterances: Sequence[Utterance],
    config: TrainConfig,
    out: Path,
    results: Path,
    *,
    noises: Sequence[FloatArray] = (),
    device: str = "auto",
    threads: int = 0,
    only: int | None = None,
    own_epochs: int = 0,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Train a network for each joint fold, and score it on each corpus's test fold.

    The last epoch is scored; nothing is chosen on a test fold. Results that are there
    are read, not computed again; a fold that another process is at is passed over.

    Args:
        utterances: clips of all corpora of the configuration.
        config: what to train; the same for every fold.
        out: folder of the folds' checkpoints.
        results: tree of results, as `reproduce` has it.
        noises: noise recordings mixed under the clips.
        device: `auto`, `cpu` or `cuda`; of training. Clips are scored on the CPU.
        threads: CPU threads; 0 leaves torch's choice.
        only: compute this fold alone, from 1, to share the work between processes.
        own_epochs: go on for so many on each scored corpus alone; 0: do not.
        progress: show progress bars.
        say: told a line for each corpus of each fold.

    Raises:
        ConfigError: if a result or a checkpoint was made with another configuration,
            or the configuration leaves out what EmoBox scores.
        SourceError: if a corpus lacks a clip of its folds.
    """
    folds = joint_folds(utterances, config)
    known = classes(utterances, config)
    place = JointRun(config, known, out, results, device, own_epochs)
    if only is not None and not 1 <= only <= len(folds):
        raise ConfigError(f"only is {only}; allowed: 1 to {len(folds)}")
    wanted = [fold for fold in folds if only in (None, fold.number)]
    for fold in wanted:  # What is in the way is told before hours of training.
        place.missing(fold)
    for fold in wanted:
        with locked(out / fold.name, wait=False) as mine:
            if not mine:
                say(f"{fold.name}: another process is at it")
                continue
            missing = place.missing(fold)
            if missing:
                started = time.monotonic()
                checkpoint = train(
                    fold.train,
                    replace(config, name=f"{config.name}-{fold.name}"),
                    out / fold.name,
                    noises=noises,
                    device=device,
                    threads=threads,
                    progress=progress,
                )
                # Of this process, and of each corpus the same share.
                seconds = (time.monotonic() - started) / len(missing)
                for corpus in missing:
                    best = checkpoint
                    if own_epochs:
                        best = train(
                            [u for u in fold.train if u.corpus == corpus],
                            own_config(config, corpus, own_epochs),
                            out / fold.name / corpus,
                            noises=noises,
                            device=device,
                            threads=threads,
                            progress=progress,
                            begin=checkpoint,
                        )
                    model, _ = build_model(load_checkpoint(best))
                    content = _scored(place, fold, corpus, model, seconds)
                    write_result(place.path(fold, corpus), content)
        for corpus in fold.test:
            if place.path(fold, corpus).exists():
                found = read_result(place.path(fold, corpus))["selections"]["last"]
                say(f"{fold.name}: {corpus} UAR {found['UAR']}, WAR {found['WAR']}")


OWN_RATE = 0.5
"""Learning rate of the last epochs, on one corpus, as a share of the first ones'."""


def own_config(config: TrainConfig, corpus: str, epochs: int) -> TrainConfig:
    """What to go on with on one corpus: the same recipe, half as fast."""
    return replace(
        config,
        name=f"{config.name}-{corpus}",
        corpora=tuple(c for c in config.corpora if c.name == corpus),
        epochs=epochs,
        learning_rate=config.learning_rate * OWN_RATE,
    )


def described(fold: JointFold, place: JointRun, corpus: str) -> dict[str, Any]:
    """What decides a result, as its file holds it."""
    config = place.config
    whole = sorted({u.corpus for u in fold.train} - set(fold.test))
    also = f"; wholly in training: {', '.join(whole)}" if whole else ""
    return {
        "trained_on": "one network for all corpora, of which other corpora than the "
        f"scored one take part in training; left out: test {fold.name} of "
        f"{', '.join(fold.test)}{also}",
        "decision": DECISION,
        "train": config.to_dict(),
        **(
            {"then": own_config(config, corpus, place.own_epochs).to_dict()}
            if place.own_epochs
            else {}
        ),
    }


def _scored(
    place: JointRun, fold: JointFold, corpus: str, model: Cpac, seconds: float
) -> dict[str, Any]:
    started = time.monotonic()
    config, names, test = place.config, place.classes[corpus], fold.test[corpus]
    allowed = [config.labels.index(name) for name in names]
    logits, without_speech = clip_logits(model, config.labels, config.front_end, test)
    truth = [names.index(u.emotion) for u in test]
    last = scores(truth, [decide(steps, allowed) for steps in logits], names)
    by_corpus = Counter(u.corpus for u in fold.train)
    return {
        "schema": SCHEMA,
        "protocol": "emobox",
        "system": place.system,
        "place": corpus,
        "fold": fold.name,
        "seed": config.seed,
        "labels": list(names),
        "revision": place.revision,
        "versions": versions(),
        "device": str(pick_device(place.device)),
        "threads": torch.get_num_threads(),
        "seconds": round(seconds + time.monotonic() - started, 1),
        "config": described(fold, place, corpus),
        "epochs": config.epochs + place.own_epochs,
        "n": {"train": len(fold.train), "validation": 0, "test": len(test)},
        "n_train": dict(sorted(by_corpus.items())),
        "without_speech": without_speech,
        "selections": {"last": {"epoch": config.epochs + place.own_epochs, **last}},
        "curve": [
            {
                "epoch": config.epochs + place.own_epochs,
                "test_WAR": last["WAR"],
                "test_UAR": last["UAR"],
            }
        ],
        "clips": [u.name for u in test],
        "speakers": [u.speaker for u in test],
        "truth": truth,
    }
