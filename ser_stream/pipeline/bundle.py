"""A model bundle: a folder loaded whole, or refused whole with the reason.

encoder.onnx   frames -> capsule columns
head.onnx      columns -> logits
manifest.json  labels, front end, calibration, thresholds, corpora, metrics, hashes
card.md        the same for people
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ser_stream.errors import ConfigError, ModelError
from ser_stream.paths import is_file, is_folder, user_path
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.smoothing import SmoothingConfig

FORMAT = 1
"""Of the manifest; raised when an older reader would misunderstand it."""
MANIFEST = "manifest.json"
ENCODER = "encoder.onnx"
HEAD = "head.onnx"
CARD = "card.md"
DEFAULT_MODEL = "open"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle; its graphs are not loaded yet."""

    folder: Path
    manifest: dict[str, Any]
    sha256: str
    """Of the manifest's content, which holds the hashes of the other files."""
    name: str
    labels: tuple[str, ...]
    licence: str
    front_end: FrontEndConfig
    temperatures: tuple[float, ...]
    """Temperature for windows of 1, 2, ... columns."""
    thresholds: SmoothingConfig
    adapted: bool
    clip_temperature: float = 1.0
    """Of the mean score of a recording heard whole; 1 where none was fitted."""

    @property
    def max_columns(self) -> int:
        """The longest window it was trained and calibrated for."""
        return len(self.temperatures)


def manifest_hash(manifest: dict[str, Any]) -> str:
    """SHA-256 of a manifest's content, in hexadecimal, without its own hash."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seal(folder: Path, manifest: dict[str, Any], names: Iterable[str]) -> None:
    """Complete a manifest with hashes, of files and of itself, and write it.

    Args:
        folder: of the bundle, or of a pack.
        manifest: what it says; `files` and `sha256` are set.
        names: files in the folder that it vouches for.
    """
    manifest["files"] = {name: file_hash(folder / name) for name in names}
    manifest["sha256"] = manifest_hash(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        ModelError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None


def packaged_bundles() -> Path:
    """The folder of the bundles that the package carries."""
    return Path(str(files("ser_stream"))) / "bundles"


def user_bundles() -> Path:
    """The folder of the bundles that the user has built or added."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return user_path(home) / "ser-stream" / "models"


def named_bundles() -> dict[str, Path]:
    """Folders that may be named without a path, whole or not, by their names.

    The packaged ones come first and win: nobody's folder can stand in for `open`.
    """
    found: dict[str, Path] = {}
    for folder in (packaged_bundles(), user_bundles()):
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            continue  # there is none, or none that can be seen
        for path in paths:
            if is_folder(path) and not path.name.startswith((".", "__")):
                found.setdefault(path.name, path)
    return found


def find_bundle(model: str) -> Path:
    """The folder that `--model` means: a name of `named_bundles`, or a path.

    Raises:
        ModelError: if there is no such bundle.
    """
    named = named_bundles()
    if model in named:
        return named[model]
    folder = user_path(model)
    if is_folder(folder):
        return folder
    raise ModelError(
        f"there is no model {model!r}; allowed: the name of a bundle "
        f"({', '.join(named)}), as `ser-stream model list` has them, or its folder"
    )


def load_bundle(model: str) -> Bundle:
    """Find a bundle and verify all of it.

    Raises:
        ModelError: if anything is missing, changed, or made for another front end.
    """
    folder = find_bundle(model)
    manifest = _read_manifest(folder / MANIFEST)
    try:
        return _verified(folder, manifest)
    except (AttributeError, KeyError, TypeError, ValueError, ConfigError) as error:
        # A manifest that matches its own hash, but was not written by `export`.
        raise ModelError(f"{folder / MANIFEST} makes no sense: {error}") from None


def _verified(folder: Path, manifest: dict[str, Any]) -> Bundle:
    for name, expected in manifest["files"].items():
        path = folder / name
        if not is_file(path):
            raise ModelError(f"{folder} is not a whole bundle: {name} is missing")
        if file_hash(path) != expected:
            raise ModelError(
                f"{path} was changed or damaged: its SHA-256 is not the manifest's; "
                "copy or build the bundle again"
            )
    front_end = FrontEndConfig.from_dict(manifest["front_end"])
    if front_end.hash != manifest["front_end_hash"]:
        raise ModelError(
            f"{folder} was made for another front end: hash "
            f"{manifest['front_end_hash'][:12]}, this version computes "
            f"{front_end.hash[:12]}"
        )
    labels = tuple(str(label) for label in manifest["labels"])
    temperatures = tuple(float(value) for value in manifest["temperatures"])
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"labels are {list(labels)}; they must be two or more names")
    clip_temperature = float(manifest.get("clip_temperature", 1.0))
    if not temperatures or not all(
        0 < t < math.inf for t in (*temperatures, clip_temperature)
    ):
        raise ValueError("temperatures must be positive numbers, one or more")
    return Bundle(
        folder=folder,
        manifest=manifest,
        sha256=manifest["sha256"],
        name=manifest["name"],
        labels=labels,
        licence=manifest["licence"],
        front_end=front_end,
        temperatures=temperatures,
        clip_temperature=clip_temperature,
        thresholds=SmoothingConfig(**manifest["thresholds"]),
        adapted=bool(manifest.get("adapted", False)),
    )


_REQUIRED = (
    "name",
    "labels",
    "licence",
    "front_end",
    "front_end_hash",
    "temperatures",
    "thresholds",
    "files",
    "sha256",
)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path.parent} is not a bundle: {path.name}: {error.strerror}"
        ) from None
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(
            f"{path} is not a manifest of format {FORMAT}, the one this version reads"
        )
    missing = [key for key in _REQUIRED if key not in manifest]
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}")
    if manifest_hash(manifest) != manifest["sha256"]:
        raise ModelError(
            f"{path} was changed after it was written: its content does not match its "
            "own hash; copy or build the bundle again"
        )
    if not {ENCODER, HEAD} <= set(manifest["files"]):
        raise ModelError(f"{path} does not name {ENCODER} and {HEAD}")
    result: dict[str, Any] = manifest
    return result
