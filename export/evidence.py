"""What was measured elsewhere, checked to be of this model, for evidence and card."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ser_stream.errors import ConfigError, ModelError
from ser_stream.pipeline.smoothing import SmoothingConfig
from training.evaluation.risk_coverage import RULE
from training.recipe.config import TrainConfig

UNSEEN_KEYS = (
    "n",
    "n_speakers",
    "n_without_speech",
    "UAR",
    "UAR_interval",
    "WAR",
    "WAR_interval",
    "ECE",
    "ECE_perfect",
    "ECE_excess",
    "recall",
    "steps",
)


def read_crossval(path: Path, config: TrainConfig) -> dict[str, Any]:
    """The result of `python -m training crossval`.

    Raises:
        ModelError: if it is none, or of another configuration.
    """
    keys = ("config", "protocol", "temperatures", "metrics", "revisions")
    made_by = "python -m training crossval"
    results = _read(path, "cross-validation result", made_by, keys)
    if TrainConfig.from_dict(results["config"]) != config:
        raise ModelError(
            f"{path} was made with another configuration than the checkpoint"
        )
    if not {"clip_temperature", "thresholds"} <= set(results):
        raise ModelError(
            f"{path} is of an earlier version; run `python -m training crossval` "
            "again: its folds are read, not trained"
        )
    return results


def options(given: Mapping[str, Path | None]) -> str:
    """The files that a command was given, as its evidence tells."""
    names = [key.replace("_", "-") for key, path in given.items() if path is not None]
    return "".join(f" --{name} {name.upper()}.json" for name in names)


def read_measured(
    manifest: Mapping[str, Any], config: TrainConfig, given: Mapping[str, Path | None]
) -> dict[str, Any]:
    """The sections of the evidence that files hold.

    Args:
        manifest: of the bundle.
        config: of its training.
        given: results, as `crossval`, `unseen` and `stream_eval`; None where there is
            none.

    Raises:
        ModelError: if one is no such result, or of another model.
    """
    found: dict[str, Any] = {}
    if (path := given["crossval"]) is not None:
        results = read_crossval(path, config)
        _same_model(
            path,
            {key: manifest[key] for key in ("temperatures", "clip_temperature")},
            results,
        )
        found["metrics"] = {
            "protocol": results["protocol"],
            **results["metrics"],
            "revisions": results["revisions"],
            "folds": results.get("folds"),
        }
    if (path := given["unseen"]) is not None:
        found["unseen"] = read_unseen(path, manifest)
    if (path := given["stream_eval"]) is not None:
        found["stream_eval"] = read_stream_eval(path, manifest)
    return found


def _same_model(path: Path, same: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    other = [key for key, value in same.items() if found.get(key) != value]
    if other:
        raise ModelError(
            f"{path} was measured on another model: it differs in {', '.join(other)}; "
            "measure this bundle, or export it anew with that file"
        )


def choose_thresholds(
    path: Path | None, crossval: Mapping[str, Any] | None
) -> tuple[dict[str, float], dict[str, str]]:
    """The thresholds of the manifest, and how each of them was chosen.

    Args:
        path: JSON with fields of `SmoothingConfig`, by themselves or under
            `thresholds` beside a `protocol` that says how they were found.
        crossval: result of a cross-validation, which chooses `uncertain`.

    Raises:
        ModelError: if the file is none, or names something that is no threshold.
    """
    values, why = asdict(SmoothingConfig()), {}
    if crossval is not None:
        values.update(crossval["thresholds"])
        why.update(dict.fromkeys(crossval["thresholds"], RULE))
    if path is not None:
        found = _read(path, "table of thresholds", "a search")
        given = found.get("thresholds", found)
        allowed = [field.name for field in fields(SmoothingConfig)]
        for key in given:
            if key not in allowed:
                raise ModelError(
                    f"{path}: {key!r} is no threshold; allowed: {', '.join(allowed)}"
                )
        values.update(given)
        how = found.get("protocol") if given is not found else None
        why.update(dict.fromkeys(given, str(how or f"given in {path.name}")))
    try:
        SmoothingConfig(**values)
    except (ConfigError, TypeError) as error:
        raise ModelError(f"the thresholds make no sense: {error}") from None
    return values, why


def read_unseen(path: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The result of `python -m training zero-shot`, less what no card needs.

    Raises:
        ModelError: if it is none, or of other graphs or another calibration.
    """
    found = _read(path, "result on unseen corpora", "python -m training zero-shot")
    try:
        model, corpora = found["model"], found["corpora"]
        same = {
            "graphs": {
                name: manifest["files"][name] for name in model.get("graphs", {})
            },
            "temperatures": manifest["temperatures"],
            "clip_temperature": manifest["clip_temperature"],
            "uncertain": manifest["thresholds"]["uncertain"],
        }
        _same_model(path, same, model)
        return {
            "protocol": found["protocol"],
            "revision": found["revision"],
            "corpora": {name: _compact(c) for name, c in corpora.items()},
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} is no result of `python -m training zero-shot`: {error}"
        ) from None


def read_stream_eval(path: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The result of `python -m training stream-eval`, as far as it was measured.

    Raises:
        ModelError: if it is none, or of another model or other thresholds.
    """
    found = _read(path, "result of stream-eval", "python -m training stream-eval")
    protocol, groups = found.get("protocol"), found.get("groups")
    if not isinstance(protocol, dict) or not isinstance(groups, dict):
        raise ModelError(f"{path} is no result of `python -m training stream-eval`")
    same = {
        "labels": manifest["labels"],
        "thresholds": manifest["thresholds"],
        "temperatures": manifest["temperatures"],
        "clip_temperature": manifest["clip_temperature"],
        "graphs": {n: manifest["files"][n] for n in protocol.get("graphs", {})},
        "limit": None,  # Nothing of trials gets on a card.
    }
    _same_model(path, {k: v for k, v in same.items() if k in protocol}, protocol)
    result: dict[str, Any] = {
        "bundle_sha256": protocol.get("bundle_sha256"),
        "seed": protocol.get("seed"),
        "revisions": found.get("revisions"),
        "groups": {name: _of_group(group) for name, group in groups.items()},
    }
    alarms = found.get("false-alarms")
    if alarms:
        keys = ("hours", "alarms", "per_hour", "upper_bound_per_hour", "distinct")
        result["false_alarms"] = {key: alarms.get(key) for key in keys}
    return result


def _compact(corpus: Mapping[str, Any]) -> dict[str, Any]:
    kept = _only(corpus, UNSEEN_KEYS)
    for key in ("sexes", "languages"):
        kept[key] = {n: _only(row, UNSEEN_KEYS) for n, row in corpus[key].items()}
    kept["speakers"] = {name: row["UAR"] for name, row in corpus["speakers"].items()}
    kept["dropped"] = corpus["dropped"]
    if "svm" in corpus:
        keys = ("UAR", "UAR_interval", "lead", "lead_interval")
        kept["svm"] = {s: _only(row, keys) for s, row in corpus["svm"].items()}
    return kept


def _only(row: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: row[key] for key in keys}


def _of_group(group: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says of a group of speakers; what was not measured is not there."""
    kept: dict[str, Any] = {
        "clips": group.get("clips"),
        "n_speakers": len(group.get("speakers", ())),
        "judged_by": group.get("judged_by"),
    }
    if "levels" in group:
        kept["lost_by_level"] = _lost(group["levels"])
    if "noise" in group:
        kept["lost_in_noise"] = {
            family: _lost(found) for family, found in group["noise"].items()
        }
    if "early" in group:
        kept["early"] = group["early"].get("ratio")
        kept["early_interval"] = group["early"].get("ratio_interval")
    if "changes" in group:
        keys = (
            "streams",
            "changes",
            "missed_share",
            "median_delay_s",
            "coverage",
            "accuracy_while_active",
            "flips_per_minute",
            "flips_per_minute_interval",
            "flips_per_minute_with_returns",
        )
        kept["changes"] = {key: group["changes"].get(key) for key in keys}
    if "calibration" in group:
        kept["calibration"] = {
            unit: {k: row.get(k) for k in ("n", "ECE", "ECE_perfect", "ECE_excess")}
            for unit, row in group["calibration"].items()
        }
    return kept


def _lost(found: Mapping[str, Any]) -> dict[str, Any]:
    return {k: row.get("lost") for k, row in found.get("conditions", {}).items()}


def _read(
    path: Path, what: str, made_by: str, keys: Iterable[str] = ()
) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is no {what}: {error}") from None
    if not isinstance(found, dict) or not found.keys() >= set(keys):
        raise ModelError(f"{path} is no {what}; `{made_by}` writes one")
    return found
