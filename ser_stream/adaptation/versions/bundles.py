"""The adapted bundles on disk: which are good, made durable, and cleared away."""

import contextlib
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from ser_stream.adaptation.versions.state import Version
from ser_stream.atomic_file import sync_names
from ser_stream.errors import ModelError
from ser_stream.paths import is_folder
from ser_stream.pipeline.bundle import Bundle, load_bundle


def load_candidate(folder: Path, base: Bundle, parent: str) -> Bundle:
    """Verify a candidate of `base` that follows the active version, SHA-256 `parent`.

    Raises:
        ModelError: if it is no whole bundle, or may not follow `parent`.
    """
    candidate = load_bundle(str(folder))
    if not candidate.adapted:
        raise ModelError(f"{folder} does not say that it is adapted")
    if candidate.labels != base.labels or candidate.front_end != base.front_end:
        raise ModelError(
            f"{folder} has other labels or another front end than {base.name}, which "
            "it is to follow"
        )
    adaptation = candidate.manifest.get("adaptation")
    grew_from = adaptation.get("parent") if isinstance(adaptation, dict) else None
    if grew_from != parent:
        # The user went back while the round ran: what it learned from is gone.
        raise ModelError(
            f"{folder} grew from version {str(grew_from)[:12]}, but {parent[:12]} is "
            "active now"
        )
    return candidate


def last_good(
    folder: Path, versions: Sequence[Version]
) -> tuple[tuple[Version, ...], Bundle | None, list[str]]:
    """The versions in `folder`, oldest first, less the last that cannot be loaded.

    Returns:
        Those left, the last of them loaded and verified (None: there is none left), and
        what was wrong with each one dropped.
    """
    problems = []
    for count in range(len(versions), 0, -1):
        version = versions[count - 1]
        path = folder / version.folder
        try:
            if not is_folder(path):
                raise ModelError("its folder is missing")
            bundle = load_bundle(str(path))
            if bundle.sha256 != version.sha256:
                raise ModelError("another bundle lies there")
        except ModelError as error:
            problems.append(f"version {version.folder} cannot be used: {error}")
        else:
            return tuple(versions[:count]), bundle, problems
    return (), None, problems


def found_versions(folder: Path, base: Bundle) -> tuple[Version, ...]:
    """The versions in `folder`, oldest first, by their own manifests.

    For when the state file is lost: the newest that is whole, and those that it grew
    from.
    """
    found: dict[str, Version] = {}
    parents: dict[str, object] = {}
    for path in folder.glob("*"):
        try:
            bundle = load_bundle(str(path))
        except ModelError:
            continue
        adaptation = bundle.manifest.get("adaptation")
        if (
            isinstance(adaptation, dict)
            and path.name.endswith(f"-{bundle.sha256[:12]}")
            and (bundle.labels, bundle.front_end) == (base.labels, base.front_end)
        ):
            found[bundle.sha256] = Version(path.name, bundle.sha256)
            parents[bundle.sha256] = adaptation.get("parent")
    chain: list[Version] = []
    following = max(found.values(), key=lambda one: one.number, default=None)
    while following is not None:
        chain.insert(0, following)
        parent = found.get(str(parents[following.sha256]))
        # Older with every step, whatever the manifests say: so it ends.
        older = parent is not None and parent.number < following.number
        following = parent if older else None
    return tuple(chain)


def clear(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove what is in `folder`, if it is there, except the names in `keep`.

    What cannot be removed stays: it does no harm, and the next opening tries again.
    """
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()):
            if path.name not in keep:
                remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there and can be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def make_durable(folder: Path) -> None:
    """Wait until the files in `folder` would outlive a power cut.

    Raises:
        OSError: if they cannot be written out.
    """
    for path in filter(Path.is_file, folder.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_names(folder)
