"""A model bundle: a folder loaded whole, or refused whole with the reason.

encoder.onnx   frames -> encoder frames (CPAC: capsule columns)
head.onnx      columns -> logits
manifest.json  identity: labels, front end, geometry, calibration, thresholds, hashes of
               the graphs; and name, licence, corpora
features.npz   what the numbers before the last layer mean: a copy of that layer, what
               emotions do to them, and what is familiar; not in all
evidence.json  what was measured of it; and card.md, the same for people. These change
               nothing that is computed, and nothing that runs the model reads them
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError, ModelError
from ser_stream.paths import is_file, is_folder, user_path
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.smoothing import SmoothingConfig

FORMAT = 3
"""Of the manifest; raised when an older reader would misunderstand it. Format 2, which
had thresholds of another smoothing, and format 1, which also had the evidence in the
manifest and CPAC's geometry, are read too."""
READ = (1, 2, FORMAT)
IDENTITY = (
    "labels",
    "front_end",
    "geometry",
    "temperatures",
    "clip_temperature",
    "thresholds",
    "files",
)
"""Of a manifest: what makes a model this one and no other."""
OWN_HASH = "manifest_sha256"
"""Under it a manifest has the hash of its own content."""
MANIFEST = "manifest.json"
ENCODER = "encoder.onnx"
HEAD = "head.onnx"
FEATURES = "features.npz"
CARD = "card.md"
DEFAULT_MODEL = "open"
RESTRICTED = re.compile(r"\bNC\b|non-?commercial|research", re.IGNORECASE)
"""What the licence of a bundle says that is not for any use."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle; its graphs are not loaded yet."""

    folder: Path
    manifest: dict[str, Any]
    sha256: str
    """Of its identity, which holds the hashes of the graphs; see `identity`."""
    name: str
    labels: tuple[str, ...]
    licence: str
    front_end: FrontEndConfig
    temperatures: tuple[float, ...]
    """Temperature for windows of 1, 2, ... columns."""
    thresholds: SmoothingConfig
    adapted: bool
    clip_temperature: float = 1.0
    """Of the mean score of a whole recording; 1 where none was fitted."""
    geometry: Geometry = CPAC
    step_s: float = 0.2
    """From one prediction to the next, seconds, if nobody says otherwise."""

    @property
    def features(self) -> Path | None:
        """The file `FEATURES`; None where there is none: then nobody can teach it."""
        there = FEATURES in self.manifest.get("files", ())
        return self.folder / FEATURES if there else None

    @property
    def max_columns(self) -> int:
        """The longest window it was trained and calibrated for."""
        return self.geometry.max_columns

    @property
    def restriction(self) -> str | None:
        """What a user must be told of the licence; None where any use is free."""
        bound = [
            str(corpus.get("name"))
            for corpus in self.manifest.get("corpora", ())
            if corpus.get("any_use") is False
        ]
        if not bound and not RESTRICTED.search(self.licence):
            return None
        why = f", as {' and '.join(bound)} it was trained on" if bound else ""
        return f"NOT for commercial use{why}"


def identity(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of what a model computes, in hexadecimal.

    Name, licence and all that was measured of it are no part of it.
    """
    return _hash({key: manifest[key] for key in IDENTITY})


def manifest_hash(manifest: Mapping[str, Any], own: str = "sha256") -> str:
    """SHA-256 of a manifest's content, in hexadecimal, without its own hash."""
    return _hash({key: value for key, value in manifest.items() if key != own})


def _hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seal(folder: Path, manifest: Mapping[str, Any], names: Iterable[str]) -> None:
    """Write the manifest of a bundle, completed with hashes.

    Args:
        folder: of the bundle.
        manifest: what it says; `format`, `files` and the hashes are set.
        names: files in the folder that it vouches for: the graphs, and weights.
    """
    files = {name: file_hash(folder / name) for name in names}
    write_json(folder / MANIFEST, sealed({**manifest, "files": files}))


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with its `files`, completed with the other hashes."""
    result = {**manifest, "format": FORMAT, "sha256": identity(manifest)}
    return {**result, OWN_HASH: manifest_hash(result, OWN_HASH)}


def write_json(path: Path, content: object) -> None:
    """Write a file of a bundle or pack whole, readable for all users."""
    replace_file(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


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

    The packaged ones come first and win: no other folder can stand in for `open`.
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
        return _verified(folder, _in_this_format(manifest))
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
    geometry = Geometry(**manifest["geometry"])
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"labels are {list(labels)}; they must be two or more names")
    clip_temperature = float(manifest["clip_temperature"])
    if not temperatures or not all(
        0 < t < math.inf for t in (*temperatures, clip_temperature)
    ):
        raise ValueError("temperatures must be positive numbers, one or more")
    if len(temperatures) != geometry.max_columns:
        raise ValueError(
            f"it has {len(temperatures)} temperatures, one for each length of a "
            f"window, and the longest has {geometry.max_columns} columns"
        )
    frame, mfcc = geometry.frame, front_end.mfcc
    if (frame.frame_length, frame.hop_length) != (mfcc.frame_length, mfcc.hop_length):
        raise ValueError("geometry has other frames than the front end")
    step_ms = manifest.get("step_ms", 200)
    if type(step_ms) is not int or step_ms % 100 or not 100 <= step_ms <= 2000:
        raise ValueError(f"step_ms is {step_ms!r}; it must be 100, 200, ... 2000")
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
        geometry=geometry,
        step_s=step_ms / 1000,
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
_LASTING = ("uncertain", "update_s")
"""Of the thresholds, those that all formats have."""
_REQUIRED_LATER = ("clip_temperature", "geometry", OWN_HASH)


def _in_this_format(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest as it would be written now; the evidence of format 1 stays in it."""
    if manifest["format"] == FORMAT:
        return manifest
    now = manifest
    if manifest["format"] == 1:
        geometry = replace(CPAC, max_columns=max(1, len(manifest["temperatures"])))
        now = {
            "clip_temperature": 1.0,
            **manifest,
            "geometry": geometry.to_dict(),
            "files": {k: v for k, v in manifest["files"].items() if k != CARD},
        }
        now["sha256"] = identity(now)
    # What else it says of the smoothing meant something else. Its identity stays, by
    # which its pack and its versions know it.
    kept = {k: v for k, v in manifest["thresholds"].items() if k in _LASTING}
    return {**now, "thresholds": asdict(SmoothingConfig(**kept))}


def read_json(path: Path, otherwise: str) -> Any:
    """The content of a manifest, whatever it is.

    Args:
        path: of the manifest.
        otherwise: what its folder is if it cannot be read, such as `is not a bundle`.

    Raises:
        ModelError: if it cannot be read, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path.parent} {otherwise}: {path.name}: {error.strerror}"
        ) from None
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from None


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path, "is not a bundle")
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found not in READ:
        raise ModelError(
            f"{path} is not a manifest of format {READ[0]} to {FORMAT}, which this "
            "version reads"
        )
    required = _REQUIRED + (() if found == 1 else _REQUIRED_LATER)
    missing = [key for key in required if key not in manifest]
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}")
    own = "sha256" if found == 1 else OWN_HASH
    if manifest_hash(manifest, own) != manifest[own]:
        raise ModelError(
            f"{path} was changed after it was written: its content does not match its "
            "own hash; copy or build the bundle again"
        )
    if found != 1 and manifest["sha256"] != identity(manifest):
        raise ModelError(f"{path} makes no sense: its sha256 is not of its identity")
    if not {ENCODER, HEAD} <= set(manifest["files"]):
        raise ModelError(f"{path} does not name {ENCODER} and {HEAD}")
    result: dict[str, Any] = manifest
    return result
