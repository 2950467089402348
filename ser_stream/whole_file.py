"""A file that is replaced whole or not at all."""

import os
import shutil
import tempfile
from pathlib import Path


def replace_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old one or the new one, whole.

    Args:
        path: of the file; where it is a link, what it points to is replaced.
        data: what it is to hold.
        mode: of a file that was not there; one that was keeps its own.

    Raises:
        OSError: if it cannot be written; what was there is then still there.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        else:
            part.chmod(mode)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
