"""One JSON file for each finished fold: what was run, and how it did."""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import audmetric
import numpy as np

from ser_stream.atomic_file import replace_file, replacing
from ser_stream.errors import ConfigError, SourceError
from ser_stream.pipeline.values import FloatArray

SCHEMA = 1
PACKAGES = ("torch", "numpy", "scikit-learn", "audmetric", "opensmile", "soxr")


def scores(
    truth: Sequence[int], predicted: Sequence[int], labels: Sequence[str]
) -> dict[str, Any]:
    """WAR, UAR and macro F1 by audmetric, recalls, and the confusion matrix.

    WAR is accuracy; UAR and macro F1 are means over the classes that occur in `truth`,
    for a fold may lack one. Percent.
    The matrix has the truth in its rows.
    """
    present = sorted(set(truth))
    everything = list(range(len(labels)))
    matrix = audmetric.confusion_matrix(truth, predicted, everything)
    recall = audmetric.recall_per_class(truth, predicted, everything, zero_division=0)
    f1 = audmetric.fscore_per_class(truth, predicted, everything, zero_division=0)
    return {
        "WAR": _percent(audmetric.accuracy(truth, predicted)),
        "UAR": _percent(np.mean([recall[c] for c in present])),
        "macro_F1": _percent(np.mean([f1[c] for c in present])),
        "recall": {
            labels[c]: _percent(recall[c]) if c in present else None for c in everything
        },
        "confusion_matrix": [[int(x) for x in row] for row in matrix],
        "predicted": [int(p) for p in predicted],
    }


def _percent(share: float) -> float:
    return round(100 * float(share), 2)


def versions() -> dict[str, str]:
    """Of Python and of the packages that make numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_result(path: Path, content: dict[str, Any]) -> None:
    """Write atomically; a key a line, so that a change is readable in a diff."""
    lines = [
        f" {json.dumps(k)}: {json.dumps(v, allow_nan=False)}"
        for k, v in content.items()
    ]
    replace_file(path, "{\n" + ",\n".join(lines) + "\n}\n")


def write_arrays(path: Path, **arrays: FloatArray | np.ndarray) -> None:
    """The arrays as a compressed .npz, atomically."""
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_result(path: Path) -> dict[str, Any]:
    """Read one result.

    Raises:
        SourceError: if the file is no result of this schema.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        schema = content["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path} is no result of `python -m training reproduce` ({error!r}); "
            "delete or move it"
        ) from None
    if schema != SCHEMA:
        raise SourceError(f"{path} has schema {schema}; this version reads {SCHEMA}")
    return content


def check_same(path: Path, config: dict[str, Any]) -> None:
    """Refuse a result of another configuration where ours would go.

    Raises:
        ConfigError: naming the settings that differ.
    """
    old, new = read_result(path)["config"], json.loads(json.dumps(config))
    if old == new:
        return
    a, b = _flat(old), _flat(new)
    differing = sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
    shown = ", ".join(f"{k}: {a.get(k)} there, {b.get(k)} now" for k in differing[:3])
    raise ConfigError(
        f"{path} was made with another configuration ({shown}); delete it, or give "
        "another --results folder"
    )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
