"""Writes a bundle folder: whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from export.card import write_card
from export.corpora import PARTS, bundle_licence, check_name, described
from export.evidence import choose_thresholds, options, read_crossval, read_measured
from export.features import check_features, write_features
from export.parity import Parity, prove_parity
from ser_stream.adaptation.pack import FOLDER as PACK
from ser_stream.adaptation.pack import load_pack
from ser_stream.errors import ModelError, SourceError
from ser_stream.nn.onnx_pair import OPSET, write_pair
from ser_stream.pipeline.bundle import (
    ENCODER,
    HEAD,
    MANIFEST,
    Bundle,
    load_bundle,
    seal,
)
from ser_stream.pipeline.bundle_evidence import write_evidence
from ser_stream.pipeline.values import FloatArray
from ser_stream.protocol.messages import milliseconds
from training.corpora.utterance import read_samples
from training.engine.checkpoint import load_checkpoint
from training.evaluation.calibrate import check_calibrated
from training.recipe.config import TrainConfig
from training.recipe.model import build_model


@dataclass(frozen=True, slots=True)
class Export:
    """What was written, and what was proved of it."""

    bundle: Bundle
    parity: Parity


def export_bundle(
    checkpoint: Path,
    folder: Path,
    clips: Path,
    crossval: Path | None,
    name: str | None = None,
    *,
    thresholds: Path | None = None,
    unseen: Path | None = None,
    stream_eval: Path | None = None,
    features: Path | None = None,
) -> Export:
    """Write the bundle of a checkpoint.

    Args:
        checkpoint: of `python -m training train`.
        folder: to write; replaced as a whole if it is a bundle already.
        clips: folder of real recordings for the parity proof.
        crossval: `crossval.json` of the same configuration, for calibration, the
            threshold of `uncertain` and metrics; without it temperatures are 1 and the
            card says so.
        name: of the bundle; the configuration's by default.
        thresholds: JSON with fields of `SmoothingConfig` that a search has found.
        unseen: result of `python -m training zero-shot` on these graphs.
        stream_eval: result of `python -m training stream-eval` on them.
        features: what `python -m training features` has written.

    Raises:
        ModelError: if parity fails, what was measured is of another model, or the
            bundle would be called `open` but a corpus does not allow any use; nothing
            is written then.
    """
    saved = load_checkpoint(checkpoint)
    model, config = build_model(saved)
    name = name or config.name
    check_name(name, [corpus.name for corpus in config.corpora])
    results = None
    if crossval is not None:
        results = read_crossval(crossval, config)
        check_calibrated(crossval, results, checkpoint)
    recordings = _recordings(clips)
    if not all(p.is_dir() for p in (folder, *folder.parents) if p.exists()):
        raise ModelError(f"{folder} cannot be a folder: there is a file in its place")
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise ModelError(f"{folder} is not empty and no bundle; name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as made:
        part = Path(made) / "bundle"
        part.mkdir()
        write_pair(model, part)
        chosen, why = choose_thresholds(thresholds, results)
        manifest = _manifest(name, config, results, chosen)
        also = write_features(model, part, features)
        seal(part, manifest, (ENCODER, HEAD, *also))
        # The proof runs on the files as they will be loaded.
        bundle = load_bundle(str(part))
        check_features(bundle)
        given = {
            "crossval": crossval,
            "thresholds": thresholds,
            "unseen": unseen,
            "stream_eval": stream_eval,
        }
        evidence = {
            "thresholds_chosen_by": why,
            "training": _training(saved, config, results, given),
            **read_measured(bundle.manifest, config, given),
        }
        parity = prove_parity(model, bundle, recordings)
        if not parity.passed:
            raise ModelError(f"parity fails, nothing written: {parity.to_dict()}")
        evidence["parity"] = parity.to_dict()
        write_evidence(bundle, evidence)
        write_card(bundle, evidence)
        _keep_pack(folder / PACK, bundle)
        # A kill between these two leaves the old bundle in the temporary folder.
        if folder.exists():
            os.replace(folder, Path(made) / "old")
        os.replace(part, folder)
    return Export(load_bundle(str(folder)), parity)


def _keep_pack(pack: Path, bundle: Bundle) -> None:
    """An adaptation pack in the old folder goes on if the graphs are still the same."""
    if pack.exists():
        with suppress(ModelError):  # of other weights, and of no use to these
            load_pack(pack, bundle)
            shutil.copytree(pack, bundle.folder / PACK)


def _recordings(folder: Path) -> list[tuple[Path, FloatArray]]:
    paths = [p for p in sorted(folder.glob("*")) if p.suffix in (".flac", ".wav")]
    if len(paths) < 2:
        raise SourceError(f"{folder} holds fewer than two recordings (.flac, .wav)")
    return [(path, read_samples(path)) for path in paths]


def _manifest(
    name: str,
    config: TrainConfig,
    results: Mapping[str, Any] | None,
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    geometry = config.model.geometry
    found = results or {}
    return {
        "name": name,
        "licence": bundle_licence([corpus.name for corpus in config.corpora]),
        "labels": list(config.labels),
        "front_end": config.front_end.to_dict(),
        "front_end_hash": config.front_end.hash,
        "normalisation": config.normalise.kind,
        "step_ms": round(1000 * config.model.step_s),
        "window_ms": milliseconds(geometry.window_length(geometry.max_columns)),
        "geometry": geometry.to_dict(),
        "temperatures": found.get("temperatures", [1.0] * geometry.max_columns),
        "clip_temperature": found.get("clip_temperature", 1.0),
        "thresholds": thresholds,
        "corpora": described(config),
        **({"parts": parts} if (parts := PARTS.get(config.network)) else {}),
        "opset": OPSET,
        "adapted": False,
    }


def _training(
    saved: Mapping[str, Any],
    config: TrainConfig,
    results: Mapping[str, Any] | None,
    given: Mapping[str, Path | None],
) -> dict[str, Any]:
    """How it was made, for the evidence."""
    how = (
        f"{_file_of(config)} --corpora DIR --epochs {config.epochs} "
        f"--seed {config.seed}"
    )
    commands = [f"python -m training train {how}"]
    made = "CHECKPOINT"
    recentred = saved.get("recentred")
    if recentred:
        on = _unseen(recentred["corpora"])
        if recentred.get("folds"):
            on = "--corpora DIR --crossval FOLDS"
        commands.append(f"python -m training recentre {made} {on} --out RECENTRED")
        made = "RECENTRED"
    left_out = (results or {}).get("left_out")
    commands += [
        f"python -m training calibrate {made} {_unseen(left_out)}"
        if left_out
        else f"python -m training crossval {how}",
        f"python -m export {made} DIR{options(given)}",
    ]
    return {
        **({"recentred": recentred} if recentred else {}),
        "epochs": saved["epoch"],
        "seed": config.seed,
        "speakers": saved["speakers"],
        **({"noises": saved["noises"]} if "noises" in saved else {}),
        "config": config.to_dict(),
        "revision": saved.get("revision", "unknown"),
        "commands": commands,
    }


def _file_of(config: TrainConfig) -> str:
    # Where a file of the user's lay, no checkpoint says.
    name = f"training/configs/{config.name}.toml"
    ours = Path(__file__).parents[1] / name
    if ours.is_file():
        recipe = TrainConfig.read(ours)
        if replace(recipe, epochs=config.epochs, seed=config.seed) == config:
            return name
    return "CONFIG.toml"


def _unseen(corpora: Sequence[str]) -> str:
    return " ".join(["--corpora DIR", *(f"--unseen {name}" for name in corpora)])
