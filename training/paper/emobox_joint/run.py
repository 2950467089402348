"""Joint folds -> results/emobox/cpac-joint/CORPUS/fold-K-seed-S.json; resumable.

`own_epochs` goes on from the joint network for some epochs on the training clips of the
scored corpus alone, one network for each; results under `cpac-joint-own`.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ser_stream.errors import ConfigError
from ser_stream.nn.build import CPAC, WHISPER
from training.corpora import Utterance
from training.engine.checkpoint import load_checkpoint
from training.engine.experiment import Progress
from training.engine.result_store import Result, ResultStore
from training.engine.run_experiments import chosen, each_result, missing
from training.paper.emobox_joint.clip_decision import clip_logits, decide, decision
from training.paper.emobox_joint.folds import JointFold, classes, joint_folds
from training.paper.reproduce.constants import JOINT, JOINT_OWN, JOINT_WHISPER
from training.paper.reproduce.experiment import FoldExperiment
from training.paper.reproduce.scores import scores
from training.paper.reproduce.workspace import paper_store
from training.recipe.config import TrainConfig
from training.recipe.dataset import taught
from training.recipe.model import build_model
from training.recipe.train import TrainOptions, train


@dataclass(frozen=True, slots=True)
class JointRun:
    """Where one command reads and writes, and what it computes."""

    config: TrainConfig
    folds: Mapping[str, JointFold]
    classes: Mapping[str, tuple[str, ...]]
    """Emotions of each scored corpus."""
    out: Path
    results: Path
    options: TrainOptions
    own_epochs: int = 0

    @property
    def store(self) -> ResultStore:
        return paper_store(self.results, self.out, "emobox-joint")

    def experiments(self, fold: JointFold) -> "list[JointExperiment]":
        system = JOINT_OWN if self.own_epochs else JOINT
        if self.config.network == WHISPER:
            system = JOINT_WHISPER
        seed = self.config.seed
        return [
            JointExperiment("emobox", system, corpus, fold.name, seed)
            for corpus in fold.test
        ]


@dataclass(frozen=True, slots=True)
class JointExperiment(FoldExperiment[JointRun]):
    """One corpus of a joint fold; the fold's corpora share a network."""

    def lock(self, space: JointRun) -> Path:
        """See `Experiment`: where the network is trained, for all its corpora."""
        return space.out / self.fold

    def config(self, space: JointRun) -> Result:
        fold = space.folds[self.fold]
        whole = sorted({u.corpus for u in fold.train} - set(fold.test))
        also = f"; wholly in training: {', '.join(whole)}" if whole else ""
        found: Result = {
            "trained_on": "one network for all corpora, of which other corpora than "
            f"the scored one take part in training; left out: test {fold.name} of "
            f"{', '.join(fold.test)}{also}",
            "decision": decision(space.config.model),
            "train": space.config.to_dict(),
        }
        if space.own_epochs:
            own = own_config(space.config, self.place, space.own_epochs)
            found["then"] = own.to_dict()
        return found

    def compute(self, space: JointRun, progress: Progress) -> Result:
        """See `Experiment`; the fold's first corpus bears the time of training."""
        started = time.monotonic()
        config, fold = space.config, space.folds[self.fold]
        names, test = space.classes[self.place], fold.test[self.place]
        folder = space.out / self.fold
        named = replace(config, name=f"{config.name}-{self.fold}")
        best = train(fold.train, named, folder, space.options)
        if space.own_epochs:
            best = train(
                [u for u in fold.train if u.corpus == self.place],
                own_config(config, self.place, space.own_epochs),
                folder / self.place,
                space.options,
                begin=best,
            )
        model, _ = build_model(load_checkpoint(best))
        allowed = [config.labels.index(name) for name in names]
        logits, unheard = clip_logits(
            model, config.labels, config.front_end, test, space.options.columns
        )
        truth = [names.index(u.emotion) for u in test]
        last = scores(truth, [decide(steps, allowed) for steps in logits], names)
        epochs = config.epochs + space.own_epochs
        heard = taught(fold.train, config)
        return self.described(
            names,
            test,
            space.options.device,
            time.monotonic() - started,
            epochs=epochs,
            n={"train": len(heard), "validation": 0, "test": len(test)},
            n_train=dict(sorted(Counter(u.corpus for u in heard).items())),
            without_speech=unheard,
            selections={"last": {"epoch": epochs, **last}},
            curve=[{"epoch": epochs, "test_WAR": last["WAR"], "test_UAR": last["UAR"]}],
        )


def run(
    utterances: Sequence[Utterance],
    config: TrainConfig,
    out: Path,
    results: Path,
    options: TrainOptions,
    *,
    only: int | None = None,
    own_epochs: int = 0,
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
        options: of the training. Clips are scored on the CPU.
        only: compute this fold alone, from 1, to share the work between processes.
        own_epochs: go on for so many on each scored corpus alone; 0: do not.
        say: told a line for each corpus of each fold.

    Raises:
        ConfigError: if a result or a checkpoint was made with another configuration,
            or the configuration leaves out what EmoBox scores.
        SourceError: if a corpus lacks a clip of its folds.
    """
    folds = joint_folds(utterances, config)
    if own_epochs and config.network == WHISPER:
        raise ConfigError(f"--own-epochs is for {CPAC} alone, not for {WHISPER}")
    known = classes(utterances, config)
    by_name = {fold.name: fold for fold in folds}
    space = JointRun(config, by_name, known, out, results, options, own_epochs)
    wanted = [space.experiments(fold) for fold in chosen(folds, only)]
    # What is in the way is told before hours of training.
    missing([one for of_fold in wanted for one in of_fold], space)
    for of_fold in wanted:
        for one, result in each_result(of_fold, space, wait=False):
            if result is None:
                say(f"{one.fold}: another process is at it")
                break
            found = result["selections"]["last"]
            say(f"{one.fold}: {one.place} UAR {found['UAR']}, WAR {found['WAR']}")


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
