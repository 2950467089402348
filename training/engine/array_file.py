"""Arrays in a file: written whole or not at all, computed once."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser_stream.atomic_file import replace_file

Arrays = dict[str, np.ndarray]


def write_arrays(path: Path, arrays: Arrays, *, compress: bool = True) -> None:
    save = np.savez_compressed if compress else np.savez
    # Whole in memory first: a full disk in the middle of an archive is untidy.
    archive = io.BytesIO()
    save(archive, allow_pickle=False, **arrays)
    replace_file(path, archive.getbuffer())


def read_arrays(path: Path) -> Arrays:
    """The arrays of a file; none if it is absent, or broken: then it is deleted."""
    if not path.is_file():
        return {}
    try:
        # Opened here: numpy leaves a file open that turns out to be none.
        with path.open("rb") as file, np.load(file) as kept:
            return dict(kept)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        path.unlink()
        return {}


def cached_arrays(path: Path, compute: Callable[[], Arrays]) -> Arrays:
    """The arrays of a file; computed and kept there if it is absent or broken."""
    if kept := read_arrays(path):
        return kept
    arrays = compute()
    write_arrays(path, arrays, compress=False)
    return arrays
