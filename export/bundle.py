"""Writes a bundle folder: whole, or not at all."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.card import write_card
from export.corpora import bundle_licence, check_name, describe
from export.evidence import (
    choose_thresholds,
    read_crossval,
    read_stream_eval,
    read_unseen,
)
from export.parity import Parity, prove_parity
from ser_stream.adaptation.pack import FOLDER as PACK
from ser_stream.adaptation.pack import load_pack
from ser_stream.errors import ModelError, SourceError
from ser_stream.nn.onnx_pair import OPSET, write_pair
from ser_stream.pipeline.bundle import (
    CARD,
    ENCODER,
    FORMAT,
    HEAD,
    MANIFEST,
    Bundle,
    load_bundle,
    seal,
)
from ser_stream.pipeline.values import FloatArray
from ser_stream.pipeline.window import MAX_COLUMNS, window_length
from ser_stream.protocol.messages import milliseconds
from training.corpora.utterance import read_samples
from training.engine.checkpoint import load_checkpoint
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
        unseen: result of `python -m training unseen` on these graphs.
        stream_eval: result of `python -m training stream-eval` on them.

    Raises:
        ModelError: if parity fails, what was measured is of another model, or the
            bundle would be called `open` but a corpus does not allow any use; nothing
            is written then.
    """
    saved = load_checkpoint(checkpoint)
    model, config = build_model(saved)
    check_name(name or config.name, [corpus.name for corpus in config.corpora])
    results = read_crossval(crossval, config) if crossval else None
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
        manifest = _manifest(name or config.name, saved, config, results, thresholds)
        given = {
            "crossval": crossval,
            "thresholds": thresholds,
            "unseen": unseen,
            "stream-eval": stream_eval,
        }
        options = "".join(
            f" --{option} {option.upper()}.json" for option in given if given[option]
        )
        manifest["training"]["commands"].append(
            f"python -m export CHECKPOINT DIR{options}"
        )
        # The proof runs on the files as they will be loaded, so it comes after a
        # first manifest and goes into the final one.
        _seal(part, manifest)
        if unseen is not None:
            manifest["unseen"] = read_unseen(unseen, manifest)
        if stream_eval is not None:
            manifest["stream_eval"] = read_stream_eval(stream_eval, manifest)
        parity = prove_parity(model, load_bundle(str(part)), recordings)
        if not parity.passed:
            raise ModelError(f"parity fails, nothing written: {parity.to_dict()}")
        manifest["parity"] = parity.to_dict()
        write_card(part / CARD, manifest)
        _seal(part, manifest)
        _keep_pack(folder / PACK, part)
        # A kill between these two leaves the old bundle in the temporary folder.
        if folder.exists():
            os.replace(folder, Path(made) / "old")
        os.replace(part, folder)
    return Export(load_bundle(str(folder)), parity)


def _keep_pack(pack: Path, bundle: Path) -> None:
    """An adaptation pack in the old folder goes on if the graphs are still the same."""
    loaded = load_bundle(str(bundle))
    if not pack.exists():
        return
    try:
        load_pack(pack, loaded)
    except ModelError:
        return  # of other weights, and of no use to these
    shutil.copytree(pack, bundle / PACK)


def _recordings(folder: Path) -> list[tuple[Path, FloatArray]]:
    paths = [p for p in sorted(folder.glob("*")) if p.suffix in (".flac", ".wav")]
    if len(paths) < 2:
        raise SourceError(f"{folder} holds fewer than two recordings (.flac, .wav)")
    return [(path, read_samples(path)) for path in paths]


def _manifest(
    name: str,
    saved: dict[str, Any],
    config: TrainConfig,
    results: dict[str, Any] | None,
    thresholds: Path | None,
) -> dict[str, Any]:
    chosen, why = choose_thresholds(thresholds, results)
    names = [corpus.name for corpus in config.corpora]
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "licence": bundle_licence(names),
        "labels": list(config.labels),
        "front_end": config.front_end.to_dict(),
        "front_end_hash": config.front_end.hash,
        "normalisation": config.normalise.kind,
        "step_ms": 200,
        "window_ms": milliseconds(window_length(MAX_COLUMNS)),
        "temperatures": [1.0] * MAX_COLUMNS,
        "clip_temperature": 1.0,
        "thresholds": chosen,
        "thresholds_chosen_by": why,
        "corpora": [
            {**describe(corpus.name), "classes": list(corpus.only or config.labels)}
            for corpus in config.corpora
        ],
        "training": {
            "epochs": saved["epoch"],
            "seed": config.seed,
            "speakers": saved["speakers"],
            "config": config.to_dict(),
            "revision": saved.get("revision", "unknown"),
            "commands": [
                f"python -m training train training/configs/{config.name}.toml "
                f"--corpora DIR --epochs {config.epochs} --seed {config.seed}",
                f"python -m training crossval training/configs/{config.name}.toml "
                f"--corpora DIR --epochs {config.epochs} --seed {config.seed}",
            ],
        },
        "opset": OPSET,
        "adapted": False,
    }
    if results is not None:
        manifest["temperatures"] = results["temperatures"]
        manifest["clip_temperature"] = results["clip_temperature"]
        manifest["metrics"] = {"protocol": results["protocol"], **results["metrics"]}
        manifest["metrics"]["revisions"] = results["revisions"]
        manifest["metrics"]["folds"] = results.get("folds")
    return manifest


def _seal(folder: Path, manifest: dict[str, Any]) -> None:
    seal(folder, manifest, [n for n in (ENCODER, HEAD, CARD) if (folder / n).exists()])
