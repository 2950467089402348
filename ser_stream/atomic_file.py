"""A file that is replaced whole or not at all, and stays so after a power cut."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

PART = ".part-"  # begins the name of a file that has not taken its place yet


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """A file beside `path` to write to, which then takes its place, whole.

    Several processes may write the same file: each has a part of its own. An error or a
    kill leaves the old file; an error leaves no part either.

    Args:
        path: of the file; where it is a link, what it points to is replaced.
        mode: of a file that was not there; one that was keeps its own, and its owner
            where we may set it.

    Raises:
        OSError: if it cannot be written; what was there is then still there.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    # Named before it is there, so that Ctrl-C between the two leaves none either.
    part = target.parent / f"{PART}{secrets.token_hex(8)}"
    descriptor = None
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        yield part
        os.fsync(descriptor)
        if target.exists():
            # As root, or a service could not read its own file any more.
            there = target.stat()
            with contextlib.suppress(OSError):
                os.chown(part, there.st_uid, there.st_gid)
            shutil.copymode(target, part)
        else:
            part.chmod(mode)
        os.replace(part, target)
        sync_names(target.parent)
    finally:
        if descriptor is not None:
            os.close(descriptor)
        part.unlink(missing_ok=True)


def sync_names(folder: Path) -> None:
    """Wait until the names in `folder` would outlive a power cut, where that is known.

    Some systems refuse it for a folder. What was renamed is in place either way.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def delete_file(path: Path) -> None:
    """Delete a file, if it is there, so that no power cut brings it back.

    Raises:
        OSError: if it cannot be deleted.
    """
    path.unlink(missing_ok=True)
    sync_names(path.parent)


def replace_file(path: Path, data: bytes | memoryview | str, mode: int = 0o644) -> None:
    """Write all of a file, text as UTF-8, as `replacing` does."""
    with replacing(path, mode) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)
