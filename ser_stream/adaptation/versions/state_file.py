"""The file that names the active version, in a folder that one daemon holds alone."""

import errno
import fcntl
import json
import os
import re
import shutil
from pathlib import Path

from ser_stream.adaptation.versions.bundles import found_versions
from ser_stream.adaptation.versions.state import VERSION, StoreState
from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError
from ser_stream.pipeline.bundle import Bundle

STATE = "state.json"
DAMAGED = "state.json.damaged"
LOCK = "lock"
BUNDLES = "bundles"
"""Folder of the versions."""
LEAST_FREE = 10_000_000
"""Bytes; a candidate takes two million, and is there twice for a moment."""
OTHER_FOLDER = "give another folder with the setting adapt.state"
"""What a user can do next, whatever is wrong with this one."""


class UnwritableError(ConfigError):
    """The folder cannot be written now: a full disk, say, or one that is read-only."""


def claim(folder: Path) -> int:
    """Make the folder and take its lock, which the system gives back however we end.

    Returns:
        The file descriptor that holds it.

    Raises:
        UnwritableError: if the folder cannot be written.
        ConfigError: if another daemon holds it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Found out now, and not when the first round is over.
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except BaseException:
            os.close(lock)
            raise
    except BlockingIOError:
        raise ConfigError(
            f"another daemon adapts in {folder}; stop it, or {OTHER_FOLDER}"
        ) from None
    except OSError as error:
        raise unwritable(folder, error) from None
    return lock


def is_claimed(folder: Path) -> bool:
    """Whether a daemon works on a store now; nothing is made or changed."""
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def read_state(path: Path) -> StoreState | None:
    """What a state file says; None if there is none.

    Raises:
        ConfigError: if it is of a newer version, or cannot be read.
        ValueError: if it makes no sense.
    """
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; permit it, or {OTHER_FOLDER}"
        ) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    version = values.get("version") if isinstance(values, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise ConfigError(
            f"{path} is of version {version}, this ser-stream reads up to {VERSION}; "
            f"update ser-stream, or {OTHER_FOLDER}"
        )
    if version != VERSION:
        raise ValueError("it says no version")
    return StoreState.from_dict(values)


def read_or_set_aside(folder: Path, base: Bundle) -> tuple[StoreState, list[str]]:
    """The state, and what was wrong with the file if it had to be set aside.

    Then the history is lost, but not the versions, whose manifests say what they grew
    from, nor `frozen`.

    Raises:
        ConfigError: as `read_state`, and if the folder cannot be written.
    """
    path = folder / STATE
    try:
        return read_state(path) or StoreState(base.sha256), []
    except ValueError as error:
        problems = [f"{path} was damaged ({error}); it is kept as {DAMAGED}"]
    try:
        data = path.read_bytes()
        # A copy: killed here, the next one finds the damage again, not a fresh start.
        replace_file(folder / DAMAGED, data, mode=0o600)
    except OSError as error:
        raise unwritable(folder, error) from None
    said = set(re.findall(rb'(?<!\\)"frozen": ?(true|false)', data))
    if len(said) != 1:
        problems.append(
            "adaptation is frozen, as it may have been; `ser-stream adapt freeze "
            "--off` ends that"
        )
    frozen = said != {b"false"}
    return StoreState(
        base.sha256, frozen, found_versions(folder / BUNDLES, base)
    ), problems


def write_state(folder: Path, state: StoreState) -> None:
    """Replace the file whole: from then on that is the state.

    Raises:
        ConfigError: if it cannot be written; what was there is then still there.
    """
    data = json.dumps(state.to_dict(), indent=1).encode() + b"\n"
    try:
        replace_file(folder / STATE, data, mode=0o600)
    except OSError as error:
        raise unwritable(folder, error) from None


def need_room(folder: Path) -> None:
    """See that a round would not end on a full disk.

    Raises:
        ConfigError: if there is less room than a candidate may take.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise unwritable(folder, error) from None
    if free < LEAST_FREE:
        raise ConfigError(
            f"{folder} has {free / 1e6:.1f} MB of room, and a round needs "
            f"{LEAST_FREE / 1e6:.0f}; make room, or {OTHER_FOLDER}"
        )


def unwritable(folder: Path, error: OSError) -> UnwritableError:
    return UnwritableError(
        f"{folder} cannot be written: {error.strerror}; what was there is kept; make "
        f"room or permit it, or {OTHER_FOLDER}"
    )
