"""Leave one corpus out: the recipe trained on all others, scored where it never was.

Other speakers, another language and microphone; with statistics of the speaker and
without.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac
from training.corpora import Utterance, load_corpora
from training.corpora.clips_hash import clips_hash
from training.corpora.utterance import corpus_folder
from training.engine.checkpoint import load_checkpoint
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result, ResultStore, locked
from training.engine.run_experiments import each_result
from training.evaluation.clip_steps import of_labels
from training.evaluation.heard_clip import heard_of_clip
from training.evaluation.unknown_voice import mean_move, move_of_corpus, moved_mean
from training.recipe.config import TrainConfig
from training.recipe.dataset import taught
from training.recipe.model import build_model
from training.recipe.speaker_memory import draw_mostly
from training.recipe.train import TrainOptions, train

SCORED = ("emodb", "ravdess", "savee", "casia", "emotale")
"""Corpora that have at least four of the paper's five classes."""
NEUTRAL = "neutral"
RECENTRED = "recentred"
"""Of a result's configuration: see `LocoRun.recentred`."""
MODES = {
    "none": (0, False),
    "3 clips": (3, False),
    "10 clips": (10, False),
    "10 clips, 8 neutral": (10, True),
}
"""How many other clips of the speaker were heard before; whether mostly neutral."""


@dataclass(frozen=True, slots=True)
class LocoRun:
    """The recipe, and where corpora and results are."""

    settings: TrainConfig
    corpora: Path
    out: Path
    runs: Path
    options: TrainOptions
    recentred: bool = False
    """Whether what an unknown voice is taken for is measured on the other corpora, by
    networks that were trained without one of them, too."""

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.out, self.runs, "loco", option="--out")


@dataclass(frozen=True, slots=True)
class LocoFold(Experiment[LocoRun]):
    """Training without one corpus, and its clips.

    A corpus that the recipe has not is scored with the network of the whole recipe.
    """

    corpus: str

    @property
    def name(self) -> str:
        return corpus_folder(self.corpus).as_posix()

    def config(self, space: LocoRun) -> Result:
        told = {RECENTRED: True} if space.recentred else {}
        return {**self.settings(space).to_dict(), **told}

    def today(self, stored: Result) -> Result:
        own = {k: v for k, v in stored.items() if k == RECENTRED}
        rest = {k: v for k, v in stored.items() if k != RECENTRED}
        return {**TrainConfig.from_dict(rest).to_dict(), **own}

    def clips(self, space: LocoRun) -> str:
        """See `Experiment`: those that it learns, and those that it scores."""
        config = self.settings(space)
        learned = load_corpora(space.corpora, [c.name for c in config.corpora])
        of_corpus = load_corpora(space.corpora, [self.corpus])
        clips = of_labels(of_corpus, self.corpus, config.labels)
        return clips_hash(taught(learned, config), clips)

    def settings(self, space: LocoRun, *also: str) -> TrainConfig:
        """The recipe without this corpus, and `also` without others."""
        config = space.settings
        known = {c.name for c in config.corpora}
        left_out = sorted({self.corpus, *also} & known)
        others = tuple(c for c in config.corpora if c.name not in left_out)
        if others == config.corpora:
            return config
        name = "-".join([config.name, *left_out])
        return replace(config, name=name, corpora=others)

    def training(self, space: LocoRun, *also: str) -> Path:
        """The folder of the training; what all of the recipe scores has the same.

        No command with another --out has it.
        """
        return space.store.lock_folder(f"training/{self.settings(space, *also).name}")

    def network(self, space: LocoRun, *also: str) -> Cpac:
        """Trained without this corpus, and `also` without others."""
        config = self.settings(space, *also)
        utterances = load_corpora(space.corpora, [c.name for c in config.corpora])
        folder = self.training(space, *also)
        with locked(folder, wait=True):
            saved = load_checkpoint(train(utterances, config, folder, space.options))
        return build_model(saved)[0]

    def recentre(self, space: LocoRun, model: Cpac) -> list[str]:
        """Move what an unknown voice is taken for; by which corpora."""
        config = self.settings(space)
        moves = {}
        for corpus in config.corpora:
            if corpus.name not in SCORED:
                continue
            network = self.network(space, corpus.name)
            of_corpus = load_corpora(space.corpora, [corpus.name])
            clips = of_labels(of_corpus, corpus.name, config.labels)
            moves[corpus.name] = move_of_corpus(
                network, config, clips, space.options.columns, progress=False
            )
        mean = moved_mean(model, mean_move(moves, config.labels))
        model.head.mean.copy_(torch.from_numpy(mean))
        return list(moves)

    def compute(self, space: LocoRun, progress: Progress) -> Result:
        config = self.settings(space)
        model = self.network(space)
        moved = ""
        if space.recentred:
            moved_by = ", ".join(self.recentre(space, model))
            moved = (
                "; what an unknown voice is taken for moved as networks trained "
                f"without one of {moved_by} too are off on it"
            )
        of_corpus = load_corpora(space.corpora, [self.corpus])
        clips = of_labels(of_corpus, self.corpus, config.labels)
        return {
            "protocol": (
                f"trained on {', '.join(c.name for c in config.corpora)}, last epoch; "
                "whole clips through the streaming pipeline, gate and all (a clip "
                "without speech is wrong); clips of other classes than "
                f"{', '.join(config.labels)} dropped; "
                "statistics of the speaker from other clips of this corpus, "
                f"without their labels{moved}"
            ),
            "n": len(clips),
            "scores": scored(model, config, clips, space.options.columns),
        }


def scored(
    model: Cpac, config: TrainConfig, clips: Sequence[Utterance], cache: Path
) -> dict[str, Result]:
    """UAR, percent, and recall of each class, by what was heard of the speaker.

    Args:
        model: on the CPU.
        config: what it was trained with.
        clips: of the network's labels.
        cache: folder in which what a frozen encoder says is kept.
    """
    heard = [heard_of_clip(model, config, u, cache) for u in clips]
    truth = np.array([config.labels.index(u.emotion) for u in clips])
    speakers = np.array([u.speaker for u in clips])
    spoke = np.array([bool(clip.columns) for clip in heard])
    means = [clip.mean if clip.columns else None for clip in heard]
    neutral = np.array([u.emotion == NEUTRAL for u in clips])
    found = {}
    for name, (n, mostly_neutral) in MODES.items():
        if n and not config.model.speaker_mean:
            continue
        if mostly_neutral and NEUTRAL not in config.labels:
            continue
        rng = np.random.default_rng(config.seed)
        said = []
        for i, clip in enumerate(heard):
            others = np.flatnonzero((speakers == speakers[i]) & spoke)
            others = others[others != i]
            if mostly_neutral:
                chosen = draw_mostly(others, neutral[others], n, rng)
            else:
                chosen = rng.choice(others, min(n, len(others)), replace=False)
            said.append(clip.decide(model, [means[j] for j in chosen]))
        found[name] = _metrics(truth, np.array(said), config.labels)
    return found


def _metrics(truth: np.ndarray, said: np.ndarray, labels: Sequence[str]) -> Result:
    # A clip without speech, or of a class that this corpus has not, is wrong too.
    recall = {
        label: 100 * float((said[truth == i] == i).mean())
        for i, label in enumerate(labels)
        if (truth == i).any()
    }
    return {
        "UAR": round(float(np.mean(list(recall.values()))), 1),
        "recall": {label: round(x, 1) for label, x in recall.items()},
    }


def check_left_out(known: Sequence[str], names: Sequence[str]) -> None:
    """See that something is left to train on, and to score.

    Args:
        known: corpora of the recipe.
        names: those to leave out in turn.

    Raises:
        ConfigError: if not.
    """
    if not names:
        raise ConfigError(
            f"the configuration has none of {', '.join(SCORED)}; say by --corpus what "
            f"to score; it has {', '.join(known)}"
        )
    if len(known) < 2 and set(known) <= set(names):
        raise ConfigError(
            f"the configuration has {', '.join(known)} alone; to leave one out it "
            "needs two corpora or more"
        )


def loco(
    space: LocoRun,
    names: Sequence[str],
    *,
    say: Callable[[str], None] = lambda text: None,
) -> list[tuple[str, Result]]:
    """Every corpus left out in turn; what is done is not computed again.

    Raises:
        ConfigError: if nothing is left to train on or to score.
    """
    known = [c.name for c in space.settings.corpora]
    check_left_out(known, names)
    if space.recentred and not space.settings.model.speaker_mean:
        raise ConfigError(
            "the recipe has no model.speaker_mean = true, so nothing that an unknown "
            "voice is taken for"
        )
    if space.recentred and any(
        not (set(known) & set(SCORED)) - {name} or len(set(known) - {name}) < 2
        for name in names
    ):
        raise ConfigError(
            f"--recentred leaves out a second of {', '.join(SCORED)}; the "
            f"configuration has {', '.join(known)} alone"
        )
    found = []
    for fold, result in each_result([LocoFold(name) for name in names], space):
        assert result is not None
        told = ", ".join(f"{k} {v['UAR']}" for k, v in result["scores"].items())
        say(f"{fold.corpus}: UAR {told}")
        found.append((fold.corpus, result))
    return found


def mean_line(found: Sequence[tuple[str, Result]]) -> str:
    """One line: the mean UAR of each mode, and the least recall of a class."""
    parts = []
    for mode in found[0][1]["scores"]:
        of_mode = [result["scores"][mode] for _, result in found]
        uar = np.mean([one["UAR"] for one in of_mode])
        least = min(min(one["recall"].values()) for one in of_mode)
        parts.append(f"{mode} {uar:.1f} (least recall {least})")
    return f"mean UAR of {len(found)} corpora: {', '.join(parts)}"
