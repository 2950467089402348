"""The adaptation pack: what a network must remember while it learns a new room.

manifest.json         whose it is, what is in it, licences, hashes
weights.safetensors   the network of the bundle's graphs, to train on from
source.safetensors    labelled windows of speech that it was trained on
canary.safetensors    windows of other speakers, on which harm would show first

Loaded whole, or refused whole with the reason. The arrays are read by the child process
alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_stream.bundle import ENCODER, HEAD, MANIFEST, Bundle, file_hash, manifest_hash
from ser_stream.errors import ModelError
from ser_stream.paths import is_file, is_folder

FORMAT = 1
"""Of the manifest; raised when an older reader would misunderstand it."""
FOLDER = "adaptation"
"""Of the pack in its bundle's folder."""
WEIGHTS = "weights.safetensors"
SOURCE = "source.safetensors"
CANARY = "canary.safetensors"


@dataclass(frozen=True, slots=True)
class Pack:
    """A verified pack that fits its bundle."""

    folder: Path
    manifest: dict[str, Any]
    sha256: str
    """Of the manifest's content, which holds the hashes of the other files."""
    name: str
    """Of the model it belongs to."""
    labels: tuple[str, ...]


def find_pack(bundle: Bundle, given: Path | None = None) -> Path:
    """The folder of a bundle's pack: the one given, or the one inside the bundle.

    Raises:
        ModelError: if it is not there.
    """
    folder = given or bundle.folder / FOLDER
    if is_folder(folder):
        return folder
    if given is not None:
        raise ModelError(
            f"there is no folder {folder}; adapt.pack must name an adaptation pack, as "
            "`python -m export adaptation-pack` writes it"
        )
    raise ModelError(
        f"the model {bundle.name} has no adaptation pack: there is no folder {folder}; "
        "make one with `python -m export adaptation-pack CHECKPOINT BUNDLE`, or set "
        "adapt.pack to where it is"
    )


def load_pack(folder: Path, bundle: Bundle) -> Pack:
    """Verify all of a pack, and that it is this bundle's.

    Args:
        folder: of the pack.
        bundle: the model to adapt, or what an earlier adaptation made of it.

    Raises:
        ModelError: if anything is missing or changed, or made for another model.
    """
    manifest = _read_manifest(folder / MANIFEST)
    try:
        _verify(folder, manifest, bundle)
        return Pack(
            folder=folder,
            manifest=manifest,
            sha256=manifest["sha256"],
            name=str(manifest["name"]),
            labels=tuple(str(label) for label in manifest["labels"]),
        )
    except (AttributeError, KeyError, TypeError) as error:
        # A manifest that matches its own hash, but was not written by `export`.
        raise ModelError(f"{folder / MANIFEST} makes no sense: {error!r}") from None


def _verify(folder: Path, manifest: dict[str, Any], bundle: Bundle) -> None:
    for name in (WEIGHTS, SOURCE, CANARY):
        path = folder / name
        if not is_file(path):
            raise ModelError(f"{folder} is not a whole pack: {name} is missing")
        if file_hash(path) != manifest["files"][name]:
            raise ModelError(
                f"{path} was changed or damaged: its SHA-256 is not the manifest's; "
                "copy or build the pack again"
            )
    if manifest["labels"] != list(bundle.labels):
        raise ModelError(
            f"the pack {folder} has the labels {', '.join(manifest['labels'])}, but "
            f"the model {bundle.name} has {', '.join(bundle.labels)}; give the "
            "model's own pack"
        )
    if manifest["front_end_hash"] != bundle.front_end.hash:
        raise ModelError(
            f"the pack {folder} was made for another front end: hash "
            f"{manifest['front_end_hash'][:12]}, the model {bundle.name} has "
            f"{bundle.front_end.hash[:12]}; give the model's own pack"
        )
    graphs = _graphs(bundle)
    if manifest["model"]["files"] != {name: graphs[name] for name in (ENCODER, HEAD)}:
        raise ModelError(
            f"the pack {folder} belongs to another model of the name "
            f"{manifest['model']['name']}: its weights are not those of {bundle.folder}"
            "; build it again with `python -m export adaptation-pack CHECKPOINT BUNDLE`"
        )


def _graphs(bundle: Bundle) -> dict[str, str]:
    """Hashes of the graphs before any adaptation."""
    adaptation = bundle.manifest["adaptation"] if bundle.adapted else None
    files: dict[str, str] = (
        adaptation["base"]["files"] if adaptation else bundle.manifest["files"]
    )
    return files


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path.parent} is no adaptation pack: {path.name}: {error.strerror}"
        ) from None
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from None
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise ModelError(
            f"{path} has format {found}, from a newer version of ser-stream; this one "
            f"reads format {FORMAT}: update it, or build the pack with it"
        )
    if found != FORMAT:
        raise ModelError(
            f"{path} is not a pack's manifest of format {FORMAT}, the one this version "
            "reads"
        )
    if manifest_hash(manifest) != manifest.get("sha256"):
        raise ModelError(
            f"{path} was changed after it was written: its content does not match its "
            "own hash; copy or build the pack again"
        )
    result: dict[str, Any] = manifest
    return result
