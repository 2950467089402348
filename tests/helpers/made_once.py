"""Folders that all workers of a run of the tests share."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


class MadeOnce:
    """Makes each folder in the first process that asks for it; others wait for it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        home.mkdir(exist_ok=True)

    def __call__(self, name: str, make: Callable[[Path], object]) -> Path:
        """A folder that is only to be read.

        Args:
            name: of the folder.
            make: writes it, if it is not there yet.
        """
        folder, part = self._home / name, self._home / f"{name}.part"
        with (self._home / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                # Of a process whose making failed.
                shutil.rmtree(part, ignore_errors=True)
                make(part)
                os.replace(part, folder)
        return folder
