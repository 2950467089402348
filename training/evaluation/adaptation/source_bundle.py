"""A network of one corpus, calibrated, as a bundle with its adaptation pack."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ser_stream.adaptation.pack import FOLDER, Pack, load_pack
from ser_stream.nn.cpac import Cpac
from ser_stream.nn.onnx_pair import write_pair
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle, load_bundle, seal
from ser_stream.pipeline.bundle_evidence import write_evidence
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.smoothing import SmoothingConfig
from training.corpora import Utterance, load_corpora
from training.engine.checkpoint import load_checkpoint
from training.evaluation.calibration import fit_calibration
from training.evaluation.clip_steps import run_clips
from training.evaluation.crossval import speaker_folds
from training.protocols.names import PAPER_CLASSES
from training.recipe.adaptation_pack import write_pack
from training.recipe.config import CorpusConfig, TrainConfig
from training.recipe.dataset import TrainingSet
from training.recipe.model import build_model
from training.recipe.noise_recordings import load_noises
from training.recipe.train import TrainOptions, train

CACHE = Path("runs/spectra")
NOISE = "noise"
"""Folder of recordings beside the corpora, mixed under the clips in training."""


EPOCHS = 36
"""As of the bundle `open`, whose recipe this is."""
N_FOLDS = {"emodb": 5}
"""Of these groups of speakers one is held out; of corpora not named here, of four."""


@dataclass(frozen=True, slots=True)
class SourceSplit:
    """A source corpus, split by speaker; clips of the five classes alone."""

    train: list[Utterance]
    canary: list[Utterance]
    """Every other clip of held-out speakers: for calibration and acceptance."""
    score: list[Utterance]
    """Their other clips: what adaptation costs on the source is measured on these."""
    held_out: list[str]


def split_source(
    utterances: Sequence[Utterance], corpus: str, seed: int
) -> SourceSplit:
    """Hold out a group of speakers; another one for the next seed."""
    groups = speaker_folds(utterances, corpus, N_FOLDS.get(corpus, 4))
    held_out = groups[seed % len(groups)]
    clips = [u for u in utterances if u.corpus == corpus and u.emotion in PAPER_CLASSES]
    # In turn within each speaker and class, so that both halves have all of them.
    others = sorted(
        (u for u in clips if u.speaker in held_out),
        key=lambda u: (u.speaker, u.emotion, u.name),
    )
    return SourceSplit(
        [u for u in clips if u.speaker not in held_out],
        others[::2],
        others[1::2],
        held_out,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What an experiment begins with."""

    bundle: Bundle
    pack: Pack
    checkpoint: Path
    split: SourceSplit

    def network(self) -> Cpac:
        """The weights that the graphs hold, in evaluation mode; new at each call."""
        return build_model(load_checkpoint(self.checkpoint))[0]


def prepare(corpus: str, seed: int, corpora: Path, out: Path) -> Prepared:
    """Read the bundle and the pack of a source, or make them.

    Temperatures and the canary are of speakers who are not in the network's training;
    what is scored of the source later are other clips of these. The seed is that of the
    training and of who is held out; `source/CORPUS-seed-SEED` in `out` is used.
    """
    split = split_source(load_corpora(corpora, [corpus]), corpus, seed)
    config = TrainConfig(
        name=f"{corpus}-seed-{seed}",
        corpora=(CorpusConfig(corpus),),
        epochs=EPOCHS,
        seed=seed,
    )
    folder = out / "source" / config.name
    checkpoint = folder / "checkpoint.pt"
    done = load_checkpoint(checkpoint)["epoch"] if checkpoint.exists() else 0
    if done < config.epochs:
        options = TrainOptions(load_noises(corpora / NOISE), threads=1)
        train(split.train, config, folder, options)
    made = folder / "bundle"
    if not (made / FOLDER).is_dir():
        make(checkpoint, split, made)
    bundle = load_bundle(str(made))
    return Prepared(bundle, load_pack(made / FOLDER, bundle), checkpoint, split)


def make(checkpoint: Path, split: SourceSplit, folder: Path) -> None:
    """Write the bundle of a checkpoint, and its pack into the bundle's folder."""
    torch.set_num_threads(1)
    saved = load_checkpoint(checkpoint)
    model, config = build_model(saved)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    write_pair(model, part)
    manifest = _manifest(config)
    seal(part, manifest, (ENCODER, HEAD))
    network = OnnxRecognizer(load_bundle(str(part)))
    steps = list(run_clips(network, config.front_end, split.canary))
    fitted = fit_calibration(steps, config.model.geometry.max_columns)
    manifest["temperatures"] = list(fitted.temperatures)
    manifest["clip_temperature"] = fitted.clip_temperature
    seal(part, manifest, (ENCODER, HEAD))
    training = {
        "config": config.to_dict(),
        "epochs": saved["epoch"],
        "speakers": saved["speakers"],
        "revision": saved.get("revision", "unknown"),
    }
    bundle = load_bundle(str(part))
    write_evidence(bundle, {"training": training})
    write_pack(
        model,
        bundle,
        TrainingSet(split.train, config, (), CACHE),
        split.canary,
        part / FOLDER,
        seed=config.seed,
        about={"held_out": split.held_out},
    )
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _manifest(config: TrainConfig) -> dict[str, Any]:
    return {
        "name": config.name,
        "licence": "for evaluation only",
        "labels": list(config.labels),
        "front_end": config.front_end.to_dict(),
        "front_end_hash": config.front_end.hash,
        "geometry": config.model.geometry.to_dict(),
        "temperatures": [1.0] * config.model.geometry.max_columns,
        "clip_temperature": 1.0,
        "thresholds": asdict(SmoothingConfig()),
        "adapted": False,
    }
