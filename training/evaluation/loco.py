"""Leave one corpus out: the recipe trained on all others, scored where it never was.

Other speakers, another language and microphone; with statistics of the speaker and
without.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.recognizer import clip_scores, softmax
from ser_stream.pipeline.recording import record
from ser_stream.pipeline.speaker import LEAST_COLUMNS
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance, load_corpora
from training.corpora.utterance import read_samples
from training.engine.checkpoint import load_checkpoint
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result, ResultStore, locked
from training.engine.run_experiments import each_result
from training.evaluation.clip_steps import TorchRecognizer, of_labels
from training.evaluation.frozen_steps import remembered
from training.recipe.config import TrainConfig
from training.recipe.frozen_columns import COLUMNS
from training.recipe.model import build_model
from training.recipe.speaker_memory import CLIP_S, draw_mostly
from training.recipe.train import TrainOptions, train

SCORED = ("emodb", "ravdess", "savee", "casia", "emotale")
"""Corpora that have at least four of the paper's five classes."""
NEUTRAL = "neutral"
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
        return self.corpus

    def config(self, space: LocoRun) -> Result:
        return self.settings(space).to_dict()

    def today(self, stored: Result) -> Result:
        return TrainConfig.from_dict(stored).to_dict()

    def settings(self, space: LocoRun) -> TrainConfig:
        """The recipe without this corpus."""
        config = space.settings
        others = tuple(c for c in config.corpora if c.name != self.corpus)
        if others == config.corpora:
            return config
        return replace(config, name=f"{config.name}-{self.corpus}", corpora=others)

    def training(self, space: LocoRun) -> Path:
        """The folder of the training; what all of the recipe scores has the same.

        No command with another --out has it.
        """
        return space.store.lock_folder(f"training/{self.settings(space).name}")

    def compute(self, space: LocoRun, progress: Progress) -> Result:
        config = self.settings(space)
        utterances = load_corpora(space.corpora, [c.name for c in config.corpora])
        folder = self.training(space)
        with locked(folder, wait=True):
            saved = load_checkpoint(train(utterances, config, folder, space.options))
        model, _ = build_model(saved)
        of_corpus = load_corpora(space.corpora, [self.corpus])
        clips = of_labels(of_corpus, self.corpus, config.labels)
        return {
            "protocol": (
                f"trained on {', '.join(c.name for c in config.corpora)}, last epoch; "
                "whole clips through the streaming pipeline, gate and all (a clip "
                "without speech is wrong); clips of other classes than "
                f"{', '.join(config.labels)} dropped; "
                "statistics of the speaker from other clips of this corpus, "
                "without their labels"
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


@dataclass(frozen=True, slots=True, eq=False)
class HeardClip:
    """The features of every step of a clip, (n, n_features), and its columns."""

    features: FloatArray
    columns: list[int]

    @property
    def mean(self) -> FloatArray:
        """Over the steps whose windows are long enough, or over all."""
        long = np.array(self.columns) >= LEAST_COLUMNS
        result: FloatArray = self.features[long if long.any() else ~long].mean(0)
        return result

    @torch.no_grad()
    def decide(self, model: Cpac, others: Sequence[FloatArray]) -> int:
        """The class of the clip; -1 without speech."""
        if not self.columns:
            return -1
        mean = None
        if others:
            heard = CLIP_S * torch.from_numpy(np.sum(others, axis=0))
            mean = model.head.mean_of(heard, torch.tensor(CLIP_S * len(others)))
        logits = model.head.classify(torch.from_numpy(self.features), mean).numpy()
        return int(clip_scores(softmax(logits), self.columns, 1.0).argmax())


class _FeatureRecorder(TorchRecognizer):
    """Keeps the features of every step."""

    def __init__(self, model: Cpac, labels: tuple[str, ...]) -> None:
        super().__init__(model, labels)
        self.columns: list[int] = []
        self.kept: list[FloatArray] = []

    def features(self, columns: FloatArray) -> Tensor:
        features = super().features(columns)
        self.columns.append(len(columns))
        self.kept.append(features[0].numpy())
        return features


def heard_of_clip(
    model: Cpac, config: TrainConfig, utterance: Utterance, cache: Path = COLUMNS
) -> HeardClip:
    """One clip as a stream of its own; `run_clips` explains the `cache`."""
    recorder = _FeatureRecorder(model, config.labels)
    stream = PipelineConfig(step_s=recorder.step_s)
    with remembered(model, config.front_end, utterance, cache):
        record(read_samples(utterance.path), recorder, config.front_end, stream)
    shape = (len(recorder.columns), config.model.n_features)
    features = np.array(recorder.kept, np.float32).reshape(shape)
    return HeardClip(features, recorder.columns)


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
    if len(known) < 2 and known[0] in names:
        raise ConfigError(
            f"the configuration has {', '.join(known)} alone; to leave one out it "
            "needs two corpora or more"
        )
    if not names:
        raise ConfigError(
            f"the configuration has none of {', '.join(SCORED)}; say by --corpus what "
            f"to score; it has {', '.join(known)}"
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
