"""The adaptation pack: what a network must remember while it learns a new room.

manifest.json         whose it is, what is in it, licences, hashes
weights.safetensors   the network of the bundle's graphs, to train on from
source.safetensors    labelled windows of speech that it was trained on
canary.safetensors    windows of other speakers, on which harm would show first

Loaded whole, or refused whole with the reason. The arrays are read by the child process
alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_stream.errors import ModelError
from ser_stream.paths import is_file, is_folder
from ser_stream.pipeline.bundle import (
    ENCODER,
    HEAD,
    MANIFEST,
    Bundle,
    file_hash,
    manifest_hash,
    named_bundles,
    read_json,
    write_json,
)

FORMAT = 1
"""Version of the manifest; raised when an older reader would misunderstand it."""
FOLDER = "adaptation"
"""Name of the pack in its bundle's folder."""
WEIGHTS = "weights.safetensors"
SOURCE = "source.safetensors"
CANARY = "canary.safetensors"
CPAC = "cpac"
"""The network of a pack that does not name another, under `network`."""
NETWORK: dict[str, type | tuple[type, ...]] = {
    "n_classes": int,
    "n_channels": int,
    "n_filters": int,
    "n_primary": int,
    "n_digit": int,
    "capsule_dim": int,
    "routings": int,
    "attention": str,
    "batch_norm": str,
    "routing": str,
    "gain": (int, float),
    "dropout": list,
    "head_dropout": (int, float),
    "n_statistics": int,
    "statistics_dropout": (int, float),
}
"""What the manifest says of CPAC, under `cpac`: the fields of `CpacConfig`, whose
module imports torch. What other networks are made of, the child finds out."""
OPTIONAL: dict[str, type] = {"speaker_mean": bool}
"""Of those, what is said only where it is so."""
_FIELDS: dict[str, type] = {
    "name": str,
    "labels": list,
    "front_end_hash": str,
    "model": dict,
    "files": dict,
}
"""Keys of the manifest that are needed here, and their types."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A verified pack that fits its bundle."""

    folder: Path
    manifest: dict[str, Any]
    sha256: str
    """SHA-256 of the manifest's content, which holds those of the other files."""
    network: str = CPAC
    """The kind of its weights; the manifest describes it under this key."""


def find_pack(bundle: Bundle, given: Path | None = None) -> Path:
    """The folder of a bundle's pack: the one given, or the one inside the bundle.

    An adapted bundle has none of its own: the pack of the model it grew from is also
    its pack, if that model is one of `named_bundles`.

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
    if bundle.adapted:
        return _pack_of_base(bundle)
    raise ModelError(
        f"the model {bundle.name} has no adaptation pack: there is no folder {folder}; "
        "make one with `python -m export adaptation-pack CHECKPOINT BUNDLE`, or set "
        "adapt.pack to where it is"
    )


def _pack_of_base(bundle: Bundle) -> Path:
    graphs = _graphs(bundle)
    for home in named_bundles().values():
        folder = home / FOLDER
        if not is_folder(folder):
            continue
        try:
            model = _read_manifest(folder / MANIFEST)["model"]
        except ModelError:
            continue  # another model's, and that is none of our business
        if model.get("files") == graphs:
            return folder
    raise ModelError(
        f"{bundle.folder} was adapted from {grown_from(bundle)}, whose adaptation pack "
        "is not found among the models that `ser-stream model list` has; set "
        "adapt.pack to where it is"
    )


def grown_from(bundle: Bundle) -> str:
    """The model that an adapted bundle grew from, in words."""
    adaptation = bundle.manifest.get("adaptation")
    base = adaptation.get("base") if isinstance(adaptation, dict) else None
    if not isinstance(base, dict):
        return "another model"
    return f"{base.get('name')} ({str(base.get('sha256'))[:12]})"


def seal_pack(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a pack, completed with hashes of files and of itself."""
    files = {name: file_hash(folder / name) for name in (WEIGHTS, SOURCE, CANARY)}
    content = {**manifest, "files": files}
    write_json(folder / MANIFEST, {**content, "sha256": manifest_hash(content)})


def load_pack(folder: Path, bundle: Bundle) -> Pack:
    """Verify all of a pack, and that it is this bundle's, adapted or not.

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
            network=str(manifest.get("network", CPAC)),
        )
    except (AttributeError, KeyError, TypeError):
        # A manifest that matches its own hash, but was not written by `export`.
        raise ModelError(
            f"{folder / MANIFEST} makes no sense: a field is missing or of the wrong "
            "kind; build the pack again"
        ) from None


def _verify(folder: Path, manifest: dict[str, Any], bundle: Bundle) -> None:
    for name in (WEIGHTS, SOURCE, CANARY):
        path = folder / name
        if not is_file(path):
            raise ModelError(f"{folder} is not a whole pack: {name} is missing")
        if file_hash(path) != manifest["files"].get(name):
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
    kind = manifest.get("network", CPAC)
    if (n := manifest[kind]["n_classes"]) != len(bundle.labels):
        raise ModelError(
            f"{folder / MANIFEST} makes no sense: {kind}.n_classes is {n}, and there "
            f"are {len(bundle.labels)} labels; build the pack again"
        )
    if manifest["front_end_hash"] != bundle.front_end.hash:
        raise ModelError(
            f"the pack {folder} was made for another front end: hash "
            f"{manifest['front_end_hash'][:12]}, the model {bundle.name} has "
            f"{bundle.front_end.hash[:12]}; give the model's own pack"
        )
    if manifest["model"].get("files") != _graphs(bundle):
        raise ModelError(
            f"the pack {folder} belongs to another model of the name "
            f"{manifest['model']['name']}: its weights are not those of {bundle.folder}"
            "; build it again with `python -m export adaptation-pack CHECKPOINT BUNDLE`"
        )


def _graphs(bundle: Bundle) -> dict[str, str]:
    """Hashes of the graphs before any adaptation.

    Raises:
        ModelError: if an adapted bundle does not say what it grew from.
    """
    try:
        files = (
            bundle.manifest["adaptation"]["base"]["files"]
            if bundle.adapted
            else bundle.manifest["files"]
        )
        return {name: str(files[name]) for name in (ENCODER, HEAD)}
    except (KeyError, TypeError):
        raise ModelError(
            f"{bundle.folder} is adapted and does not say from which model; give the "
            "model that it was adapted from"
        ) from None


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = read_json(path, "is no adaptation pack")
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
    if problem := _nonsense(result):
        raise ModelError(f"{path} makes no sense: {problem}; build the pack again")
    return result


def _nonsense(manifest: dict[str, Any]) -> str:
    """What is missing or of another kind than it is to be; empty if nothing."""
    for key, kind in _FIELDS.items():
        if not isinstance(manifest.get(key), kind):
            return f"{key} is missing or of the wrong kind"
    name = str(manifest.get("network", CPAC))
    network = manifest.get(name)
    if not isinstance(network, dict):
        return f"{name} is missing or of the wrong kind"
    if name != CPAC:
        return ""
    for key, kinds in NETWORK.items():
        if not isinstance(network.get(key), kinds):
            return f"cpac.{key} is missing or of the wrong kind"
    for key, kind in OPTIONAL.items():
        if not isinstance(network.get(key, kind()), kind):
            return f"cpac.{key} is of the wrong kind"
    if unknown := sorted(network.keys() - NETWORK.keys() - OPTIONAL.keys()):
        return f"cpac has {', '.join(unknown)}, which no network has"
    return ""
