"""Paths that users give: asking about one never raises."""

import os
from pathlib import Path


def user_path(text: str) -> Path:
    """A path with `~` expanded where that is possible."""
    # pathlib's expanduser raises for a user that is not known; this one leaves it.
    return Path(os.path.expanduser(text))  # noqa: PTH111


def is_file(path: Path) -> bool:
    """Whether it is a file that can be seen."""
    return os.path.isfile(path)  # noqa: PTH113  pathlib's raises without permission


def is_folder(path: Path) -> bool:
    """Whether it is a folder that can be seen."""
    return os.path.isdir(path)  # noqa: PTH112  pathlib's raises without permission


def is_pipe(path: Path) -> bool:
    """Whether it is a named pipe that can be seen."""
    try:
        return path.is_fifo()
    except (OSError, ValueError):
        return False


SYSTEM_SOCKET = Path("/run/ser-stream/ser-stream.sock")


def default_socket() -> Path:
    """Where a daemon listens without an address, and clients look first.

    The user's own place; the system's for a user who has none, as a service.
    """
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    # The specification: a relative path is to be ignored.
    if not folder.startswith("/"):
        return SYSTEM_SOCKET
    return Path(folder) / "ser-stream" / "ser-stream.sock"


def state_folder() -> Path:
    """Where state is kept: what systemd gave us, else the user's place for it."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    return (
        user_path(os.environ.get("XDG_STATE_HOME") or "~/.local/state") / "ser-stream"
    )
