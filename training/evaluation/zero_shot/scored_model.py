"""A bundle or a checkpoint, with its calibration and what it was trained on."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_stream.errors import ConfigError, ModelError
from ser_stream.pipeline.bundle import ENCODER, HEAD, load_bundle
from ser_stream.pipeline.bundle_evidence import read_evidence
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.smoothing import SmoothingConfig
from training.engine.checkpoint import load_checkpoint
from training.evaluation.calibrate import check_calibrated
from training.evaluation.calibration import Calibration
from training.evaluation.clip_steps import LogitRecognizer, TorchRecognizer
from training.recipe.config import TrainConfig
from training.recipe.model import build_model


@dataclass(frozen=True, slots=True, eq=False)
class ScoredModel:
    recognizer: LogitRecognizer
    front_end: FrontEndConfig
    calibration: Calibration
    uncertain: float
    """Threshold under which a step is `uncertain`."""
    corpora: dict[str, tuple[str, ...]]
    """Trained on these, each with the classes it spoke of; none without labels."""
    speakers: frozenset[str]
    """Trained on these, `corpus/speaker`."""
    fitted_to: frozenset[str]
    """Corpora that served to set it afterwards; see `fitted_to`."""
    identity: dict[str, Any]
    """For the result: what was measured, so that no other model can claim it."""

    @property
    def labels(self) -> tuple[str, ...]:
        return self.recognizer.labels


def load_scored_model(model: str, crossval: Path | None = None) -> ScoredModel:
    """Load a bundle, by name or folder, or a checkpoint, by its `.pt` file.

    Args:
        model: what to load.
        crossval: `crossval.json`, for the calibration of a checkpoint; without it its
            temperatures are 1. A bundle has its own.

    Raises:
        ModelError: if it is neither, or does not say what it was trained on, or
            `crossval` was fitted on another network.
        ConfigError: if `crossval` is given for a bundle, or of another configuration.
    """
    if model.endswith(".pt"):
        return _of_checkpoint(Path(model), crossval)
    if crossval is not None:
        raise ConfigError("--crossval is for a checkpoint; a bundle is calibrated")
    return _of_bundle(model)


def fitted_to(evidence: Mapping[str, Any], learned: Iterable[str]) -> frozenset[str]:
    """Corpora that a model did not learn, but that `recentre` or `calibrate` measured.

    Args:
        evidence: of its bundle.
        learned: corpora of its training.
    """
    recentred = (evidence.get("training") or {}).get("recentred") or {}
    calibrated = (evidence.get("metrics") or {}).get("corpora") or ()
    # Of a cross-validation both are corpora of the training.
    return frozenset({*recentred.get("corpora", ()), *calibrated}.difference(learned))


def _of_bundle(model: str) -> ScoredModel:
    bundle = load_bundle(model)
    evidence = read_evidence(bundle)
    try:
        training = evidence["training"]
        corpora = _corpora(TrainConfig.from_dict(training["config"]))
        speakers = frozenset(map(str, training["speakers"]))
    except (KeyError, TypeError):
        raise ModelError(
            f"the evidence in {bundle.folder} does not say what it was trained on"
        ) from None
    return ScoredModel(
        OnnxRecognizer(bundle),
        bundle.front_end,
        Calibration(bundle.temperatures, bundle.clip_temperature),
        bundle.thresholds.uncertain,
        corpora,
        speakers,
        fitted_to(evidence, corpora),
        {
            "name": bundle.name,
            "revision": training.get("revision", "unknown"),
            "graphs": {
                name: bundle.manifest["files"][name] for name in (ENCODER, HEAD)
            },
            "temperatures": list(bundle.temperatures),
            "clip_temperature": bundle.clip_temperature,
            "uncertain": bundle.thresholds.uncertain,
        },
    )


def _of_checkpoint(path: Path, crossval: Path | None) -> ScoredModel:
    saved = load_checkpoint(path)
    model, config = build_model(saved)
    found = {}
    if crossval is not None:
        found = _read_crossval(crossval, config)
        check_calibrated(crossval, found, path)
    calibration = Calibration((1.0,) * config.model.geometry.max_columns)
    if found:
        calibration = Calibration(
            tuple(found["temperatures"]), found.get("clip_temperature", 1.0)
        )
    uncertain = found.get("thresholds", {}).get(
        "uncertain", SmoothingConfig().uncertain
    )
    corpora = _corpora(config)
    recentred = saved.get("recentred", {}).get("corpora", ())
    return ScoredModel(
        TorchRecognizer(model, config.labels),
        config.front_end,
        calibration,
        uncertain,
        corpora,
        frozenset(map(str, saved["speakers"])),
        frozenset({*recentred, *found.get("left_out", ())}.difference(corpora)),
        {
            "name": config.name,
            "revision": saved.get("revision", "unknown"),
            "checkpoint": hashlib.sha256(path.read_bytes()).hexdigest(),
            "temperatures": list(calibration.temperatures),
            "clip_temperature": calibration.clip_temperature,
            "uncertain": uncertain,
        },
    )


def _corpora(config: TrainConfig) -> dict[str, tuple[str, ...]]:
    return {c.name: c.classes(config.labels) for c in config.corpora}


def _read_crossval(path: Path, config: TrainConfig) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        made = TrainConfig.from_dict(found["config"])
        found["temperatures"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is no cross-validation result: {error}; `python -m training "
            "crossval` writes one"
        ) from None
    if made != config:
        raise ConfigError(f"{path} was made with another configuration than the model")
    return found
