"""Writes a bundle folder: whole, or not at all."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from export.card import write_card
from export.corpora import bundle_licence, describe
from export.parity import Parity, prove_parity
from ser_stream.bundle import (
    CARD,
    ENCODER,
    FORMAT,
    HEAD,
    MANIFEST,
    Bundle,
    file_hash,
    load_bundle,
    manifest_hash,
)
from ser_stream.errors import ModelError, SourceError
from ser_stream.events import milliseconds
from ser_stream.nn.onnx_pair import OPSET, write_pair
from ser_stream.smoothing import SmoothingConfig
from ser_stream.values import FloatArray
from ser_stream.window import MAX_COLUMNS, window_length
from training.checkpoint import build_model, load_checkpoint
from training.config import TrainConfig
from training.corpora.utterance import read_samples


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
) -> Export:
    """Write the bundle of a checkpoint.

    Args:
        checkpoint: of `python -m training train`.
        folder: to write; replaced as a whole if it is a bundle already.
        clips: folder of real recordings for the parity proof.
        crossval: `crossval.json` of the same configuration, for calibration and
            metrics; without it temperatures are 1 and the card says so.
        name: of the bundle; the configuration's by default.

    Raises:
        ModelError: if parity fails, or the cross-validation is of another
            configuration; nothing is written then.
    """
    saved = load_checkpoint(checkpoint)
    model, config = build_model(saved)
    results = _read_crossval(crossval, config) if crossval else None
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
        manifest = _manifest(name or config.name, saved, config, results)
        # The proof runs on the files as they will be loaded, so it comes after a
        # first manifest and goes into the final one.
        _seal(part, manifest)
        parity = prove_parity(model, load_bundle(str(part)), recordings)
        if not parity.passed:
            raise ModelError(f"parity fails, nothing written: {parity.to_dict()}")
        manifest["parity"] = parity.to_dict()
        write_card(part / CARD, manifest)
        _seal(part, manifest)
        load_bundle(str(part))
        # A kill between these two leaves the old bundle in the temporary folder.
        if folder.exists():
            os.replace(folder, Path(made) / "old")
        os.replace(part, folder)
    return Export(load_bundle(str(folder)), parity)


def _recordings(folder: Path) -> list[tuple[Path, FloatArray]]:
    paths = [p for p in sorted(folder.glob("*")) if p.suffix in (".flac", ".wav")]
    if len(paths) < 2:
        raise SourceError(f"{folder} holds fewer than two recordings (.flac, .wav)")
    return [(path, read_samples(path)) for path in paths]


def _read_crossval(path: Path, config: TrainConfig) -> dict[str, Any]:
    try:
        results: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is no cross-validation result: {error}") from None
    keys = {"config", "protocol", "temperatures", "metrics", "revisions"}
    if not isinstance(results, dict) or not keys <= set(results):
        raise ModelError(
            f"{path} is no cross-validation result; `python -m training crossval` "
            "writes one"
        )
    if TrainConfig.from_dict(results["config"]) != config:
        raise ModelError(
            f"{path} was made with another configuration than the checkpoint"
        )
    found: dict[str, Any] = results
    return found


def _manifest(
    name: str,
    saved: dict[str, Any],
    config: TrainConfig,
    results: dict[str, Any] | None,
) -> dict[str, Any]:
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
        "thresholds": asdict(SmoothingConfig()),
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
                "python -m export CHECKPOINT DIR --crossval CROSSVAL.json",
            ],
        },
        "opset": OPSET,
        "adapted": False,
    }
    if results is not None:
        manifest["temperatures"] = results["temperatures"]
        manifest["metrics"] = {"protocol": results["protocol"], **results["metrics"]}
        manifest["metrics"]["revisions"] = results["revisions"]
    return manifest


def _seal(folder: Path, manifest: dict[str, Any]) -> None:
    names = [n for n in (ENCODER, HEAD, CARD) if (folder / n).exists()]
    manifest["files"] = {name: file_hash(folder / name) for name in names}
    manifest["sha256"] = manifest_hash(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
